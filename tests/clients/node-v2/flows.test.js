// The life of snapshots as the new SDK sees it; one test for each flow, on the daemon at SNAPSHOTD_TEST_ENDPOINT.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { $OpenApiUtil, OpenApiUtil } = require('@alicloud/openapi-core');
const { RuntimeOptions } = require('@darabonba/typescript');
const ecs = require('./ecs');

const { call, models, refused } = ecs;
// What an encoding may spoil.
const AWKWARD = 'a & b=c <d> ~*+ %20 "e" \'f\' 快照 😀';
const REFUSALS = JSON.parse(fs.readFileSync(path.join(__dirname, '../support/refusals.json')));

test('lifecycle', async () => {
  const [instanceId] = await ecs.runInstances();
  const [system] = await ecs.disks({ instanceId });
  const { zoneId } = system;

  const { diskId } = await call('CreateDisk', { zoneId, size: 40, diskCategory: 'cloud_essd' });
  await ecs.diskIs(diskId, 'Available');
  await call('AttachDisk', { instanceId, diskId });
  await ecs.diskIs(diskId, 'In_use');

  const ofSystem = (await call('CreateSnapshot', { diskId: system.diskId })).snapshotId;
  const { snapshotId } = await call('CreateSnapshot', { diskId, snapshotName: 'nightly', retentionDays: 7 });
  assert.equal((await ecs.snapshot(snapshotId)).status, 'progressing');
  await ecs.accomplished(ofSystem);
  const seen = await ecs.accomplished(snapshotId);
  assert.deepEqual(
    [seen.progress, seen.snapshotName, seen.retentionDays, seen.sourceDiskId, seen.sourceDiskSize, seen.usage],
    ['100%', 'nightly', 7, diskId, '40', 'none'],
  );
  assert.match(seen.creationTime, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);

  const { imageId } = await call('CreateImage', {
    imageName: 'with-data',
    diskDeviceMapping: [
      new models.CreateImageRequestDiskDeviceMapping({ snapshotId: ofSystem, diskType: 'system' }),
      new models.CreateImageRequestDiskDeviceMapping({ snapshotId, diskType: 'data' }),
    ],
  });
  await ecs.until(async () => (await call('DescribeImages', { imageId })).images.image[0]);
  await refused('SnapshotCreatedImage', 403, call('DeleteSnapshot', { snapshotId }));
  await refused('SnapshotCreatedImage', 403, call('DeleteSnapshot', { snapshotId, force: true }));
  await call('DeleteImage', { imageId });

  const copy = (await call('CreateDisk', { zoneId, snapshotId, diskCategory: 'cloud_essd' })).diskId;
  await ecs.diskIs(copy, 'Available');
  await refused('SnapshotCreatedDisk', 403, call('DeleteSnapshot', { snapshotId }));
  await call('DeleteSnapshot', { snapshotId, force: true });
  assert.equal(await ecs.snapshot(snapshotId), undefined);

  await call('AttachDisk', { instanceId, diskId: copy });
  await ecs.diskIs(copy, 'In_use');
  await call('StopInstance', { instanceId });
  await ecs.instanceIs(instanceId, 'Stopped');
  await refused('InvalidSourceSnapshot', 403, call('ReInitDisk', { diskId: copy }));

  for (const each of [diskId, copy]) {
    await call('DetachDisk', { instanceId, diskId: each });
    await ecs.diskIs(each, 'Available');
    await call('DeleteDisk', { diskId: each });
    assert.equal(await ecs.disk(each), undefined);
  }
  await call('DeleteSnapshot', { snapshotId: ofSystem });
  await call('DeleteInstance', { instanceId });
  await ecs.until(async () => (await ecs.disk(system.diskId)) === undefined);
  await call('DeleteSnapshot', { snapshotId });
});

test('groups', async () => {
  const dataDisk = [new models.RunInstancesRequestDataDisk({ category: 'cloud_essd', size: 40 })];
  const [instanceId] = await ecs.runInstances({ dataDisk });
  const { snapshotGroupId } = await call('CreateSnapshotGroup', { instanceId, name: 'all-disks' });
  const groups = async () =>
    (await call('DescribeSnapshotGroups', { snapshotGroupId: [snapshotGroupId] })).snapshotGroups.snapshotGroup;
  const found = await ecs.until(async () => {
    const [shown] = await groups();
    return shown.status === 'accomplished' && shown;
  });
  assert.equal(found.name, 'all-disks');
  const members = found.snapshots.snapshot;
  const disks = await ecs.disks({ instanceId });
  assert.deepEqual(members.map((each) => each.sourceDiskId).sort(), disks.map((each) => each.diskId).sort());
  await call('ModifySnapshotGroup', { snapshotGroupId, name: 'renamed' });
  assert.equal((await groups())[0].name, 'renamed');
  const gone = await call('DeleteSnapshotGroup', { snapshotGroupId });
  assert.equal(gone.operationProgressSet.operationProgress.length, members.length);
  assert.deepEqual(await groups(), []);
});

test('policies', async () => {
  const [instanceId] = await ecs.runInstances();
  const [{ diskId }] = await ecs.disks({ instanceId });
  const { autoSnapshotPolicyId } = await call('CreateAutoSnapshotPolicy', {
    autoSnapshotPolicyName: 'nightly',
    timePoints: '["1"]',
    repeatWeekdays: '["1","7"]',
    retentionDays: 30,
  });
  const policy = async () => {
    const answer = await call('DescribeAutoSnapshotPolicyEx', { autoSnapshotPolicyId });
    return answer.autoSnapshotPolicies.autoSnapshotPolicy[0];
  };
  const made = await policy();
  assert.deepEqual([made.timePoints, made.repeatWeekdays, made.retentionDays], ['["1"]', '["1","7"]', 30]);
  await call('ApplyAutoSnapshotPolicy', { autoSnapshotPolicyId, diskIds: `["${diskId}"]` });
  assert.equal((await ecs.disk(diskId)).autoSnapshotPolicyId, autoSnapshotPolicyId);
  assert.equal((await policy()).diskNums, 1);
  await call('ModifyAutoSnapshotPolicyEx', { autoSnapshotPolicyId, retentionDays: -1 });
  assert.equal((await policy()).retentionDays, -1);
  await call('CancelAutoSnapshotPolicy', { diskIds: `["${diskId}"]` });
  await call('DeleteAutoSnapshotPolicy', { autoSnapshotPolicyId });
  assert.equal(await policy(), undefined);
});

test('locks', async () => {
  const [instanceId] = await ecs.runInstances();
  const [{ diskId }] = await ecs.disks({ instanceId });
  const { snapshotId } = await call('CreateSnapshot', { diskId });
  await ecs.accomplished(snapshotId);
  await call('LockSnapshot', { snapshotId, lockMode: 'compliance', lockDuration: 1, coolOffPeriod: 1 });
  const { lockedSnapshotsInfo } = await call('DescribeLockedSnapshots', { snapshotIds: [snapshotId] });
  assert.deepEqual(lockedSnapshotsInfo.map((each) => each.lockStatus), ['compliance-cooloff']);
  const deletion = call('DeleteSnapshot', { snapshotId, force: true });
  await refused('InvalidOperation.SnapshotLocked', 403, deletion);
  await call('UnlockSnapshot', { snapshotId });
  await call('DeleteSnapshot', { snapshotId });
});

test('tags', async () => {
  const [instanceId] = await ecs.runInstances();
  const [{ diskId }] = await ecs.disks({ instanceId });
  const made = [new models.CreateSnapshotRequestTag({ key: 'made', value: 'here' })];
  const { snapshotId } = await call('CreateSnapshot', { diskId, tag: made });
  const resourceType = 'snapshot';
  const value = `of ${snapshotId}`;
  const tag = [['team', value], ['empty', '']].map(([key, value]) => new models.TagResourcesRequestTag({ key, value }));
  await call('TagResources', { resourceType, resourceId: [snapshotId], tag });
  const { tagResources } = await call('ListTagResources', { resourceType, resourceId: [snapshotId] });
  assert.deepEqual(tagResources.tagResource.map((each) => each.tagKey).sort(), ['empty', 'made', 'team']);
  const [seen] = await ecs.snapshots({ tag: [new models.DescribeSnapshotsRequestTag({ key: 'team', value })] });
  assert.equal(seen.snapshotId, snapshotId);
  await call('UntagResources', { resourceType, resourceId: [snapshotId], tagKey: ['team', 'made'] });
  const left = (await ecs.snapshot(snapshotId)).tags.tag;
  assert.deepEqual(left.map((each) => [each.tagKey, each.tagValue]), [['empty', '']]);
});

test('paging', async () => {
  const one = () => new models.RunInstancesRequestDataDisk({ category: 'cloud_essd', size: 40 });
  const dataDisk = Array.from({ length: 15 }, one);
  await ecs.runInstances({ amount: 100, dataDisk });
  await ecs.runInstances({ amount: 100, dataDisk });
  const byNumber = [];
  for (let pageNumber = 1, total = 1; byNumber.length < total; pageNumber += 1) {
    const page = await call('DescribeDisks', { pageNumber, pageSize: 100 });
    byNumber.push(...page.disks.disk.map((each) => each.diskId));
    total = page.totalCount;
  }
  const byToken = [];
  for (let nextToken; nextToken !== ''; ) {
    const page = await call('DescribeDisks', { maxResults: 500, nextToken });
    byToken.push(...page.disks.disk.map((each) => each.diskId));
    nextToken = page.nextToken ?? '';
  }
  assert.ok(byNumber.length >= 3200);
  assert.equal(new Set(byNumber).size, byNumber.length);
  assert.deepEqual(byToken, byNumber);
});

// A call by its name alone: with parameters that the request classes would not take, or in another place than theirs.
function callByName(action, parameters, { client = ecs.client, place = 'query', reqBodyType = 'formData', ...more } = {}) {
  const how = { version: '2014-05-26', protocol: 'HTTP', pathname: '/', method: 'POST', authType: 'AK', style: 'RPC' };
  const params = new $OpenApiUtil.Params({ action, ...how, reqBodyType, bodyType: 'json', ...more });
  const all = { RegionId: ecs.REGION, ...parameters };
  const request = new $OpenApiUtil.OpenApiRequest({ [place]: place === 'query' ? OpenApiUtil.query(all) : all });
  return client.callApi(params, request, new RuntimeOptions({}));
}

test('errors', async () => {
  for (const { action, parameters, code, status, message } of REFUSALS) {
    const error = await refused(code, status, callByName(action, parameters));
    assert.ok(error.message.includes(message), error.message);
  }
  const asking = (changes) => call('DescribeSnapshots', {}, ecs.connect(changes));
  await refused('InvalidAccessKeyId.NotFound', 404, asking({ accessKeyId: 'nobody' }));
  await refused('SignatureDoesNotMatch', 400, asking({ accessKeySecret: 'wrong' }));
});

test('sts', async () => {
  const temporary = { accessKeyId: 'STS.testid', accessKeySecret: 'stssecret' };
  await call('DescribeSnapshots', {}, ecs.connect({ ...temporary, securityToken: 'ststoken' }));
  const asking = call('DescribeSnapshots', {}, ecs.connect({ ...temporary, securityToken: 'another' }));
  await refused('InvalidSecurityToken.MismatchWithAccessKey', 400, asking);
});

test('places', async () => {
  const [instanceId] = await ecs.runInstances();
  const [{ diskId }] = await ecs.disks({ instanceId });
  const temporary = { accessKeyId: 'STS.testid', accessKeySecret: 'stssecret', securityToken: 'ststoken' };
  const form = { place: 'body' };
  const json = { place: 'body', reqBodyType: 'json' };
  for (const key of [{}, temporary]) {
    const acs3 = ecs.connect(key);
    // What this SDK calls v2 is the signature of the old ones.
    const rpc = ecs.connect({ ...key, signatureAlgorithm: 'v2' });
    for (const how of [
      { client: acs3 }, { client: acs3, method: 'GET' }, { client: acs3, ...form }, { client: acs3, ...json },
      { client: rpc }, { client: rpc, method: 'GET' }, { client: rpc, ...form },
    ]) {
      const { client, ...told } = how;
      const Value = `${client === rpc} ${Object.keys(key)} ${JSON.stringify(told)} ${AWKWARD}`;
      const what = { ResourceType: 'disk', ResourceId: [diskId], Tag: [{ Key: 'place', Value }] };
      await callByName('TagResources', what, how);
      const { body } = await callByName('DescribeDisks', { Tag: [{ Key: 'place', Value }] }, how);
      assert.deepEqual(body.Disks.Disk.map((each) => [each.DiskId, each.Tags.Tag[0].TagValue]), [[diskId, Value]]);
    }
  }
});

test('https', async () => {
  const secure = { endpoint: process.env.SNAPSHOTD_TEST_TLS_ENDPOINT, protocol: 'HTTPS' };
  const ca = fs.readFileSync(process.env.SNAPSHOTD_TEST_CA, 'utf8');
  await call('DescribeSnapshots', {}, ecs.connect({ ...secure, ca }));
  await assert.rejects(call('DescribeSnapshots', {}, ecs.connect(secure)), /certificate/);
});
