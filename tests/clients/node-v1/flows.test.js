// The life of snapshots as the old SDK sees it; one test for each flow, on the daemon at SNAPSHOTD_TEST_ENDPOINT.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const https = require('node:https');
const path = require('node:path');
const { test } = require('node:test');
const { Ecs, until } = require('./ecs');

const REFUSALS = JSON.parse(fs.readFileSync(path.join(__dirname, '../support/refusals.json')));
// What an encoding may spoil.
const AWKWARD = 'a & b=c <d> ~*+ %20 "e" \'f\' 快照 😀';
const ecs = new Ecs();

test('lifecycle', async () => {
  const [InstanceId] = await ecs.runInstances();
  const [system] = await ecs.disks({ InstanceId });
  const { ZoneId } = system;

  const { DiskId } = await ecs.call('CreateDisk', { ZoneId, Size: 40, DiskCategory: 'cloud_essd' });
  await ecs.diskIs(DiskId, 'Available');
  await ecs.call('AttachDisk', { InstanceId, DiskId });
  await ecs.diskIs(DiskId, 'In_use');

  const ofSystem = (await ecs.call('CreateSnapshot', { DiskId: system.DiskId })).SnapshotId;
  const { SnapshotId } = await ecs.call('CreateSnapshot', { DiskId, SnapshotName: 'nightly', RetentionDays: 7 });
  assert.equal((await ecs.snapshot(SnapshotId)).Status, 'progressing');
  await ecs.accomplished(ofSystem);
  const seen = await ecs.accomplished(SnapshotId);
  assert.deepEqual(
    [seen.Progress, seen.SnapshotName, seen.RetentionDays, seen.SourceDiskId, seen.SourceDiskSize, seen.Usage],
    ['100%', 'nightly', 7, DiskId, '40', 'none'],
  );
  assert.match(seen.CreationTime, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);

  const { ImageId } = await ecs.call('CreateImage', {
    ImageName: 'with-data',
    DiskDeviceMapping: [
      { SnapshotId: ofSystem, DiskType: 'system' },
      { SnapshotId, DiskType: 'data' },
    ],
  });
  await until(async () => (await ecs.call('DescribeImages', { ImageId })).Images.Image[0]);
  await ecs.refused('SnapshotCreatedImage', 'DeleteSnapshot', { SnapshotId });
  await ecs.refused('SnapshotCreatedImage', 'DeleteSnapshot', { SnapshotId, Force: true });
  await ecs.call('DeleteImage', { ImageId });

  const copy = (await ecs.call('CreateDisk', { ZoneId, SnapshotId, DiskCategory: 'cloud_essd' })).DiskId;
  await ecs.diskIs(copy, 'Available');
  await ecs.refused('SnapshotCreatedDisk', 'DeleteSnapshot', { SnapshotId });
  await ecs.call('DeleteSnapshot', { SnapshotId, Force: true });
  assert.equal(await ecs.snapshot(SnapshotId), undefined);

  await ecs.call('AttachDisk', { InstanceId, DiskId: copy });
  await ecs.diskIs(copy, 'In_use');
  await ecs.call('StopInstance', { InstanceId });
  await ecs.instanceIs(InstanceId, 'Stopped');
  await ecs.refused('InvalidSourceSnapshot', 'ReInitDisk', { DiskId: copy });

  for (const each of [DiskId, copy]) {
    await ecs.call('DetachDisk', { InstanceId, DiskId: each });
    await ecs.diskIs(each, 'Available');
    await ecs.call('DeleteDisk', { DiskId: each });
    assert.equal(await ecs.disk(each), undefined);
  }
  await ecs.call('DeleteSnapshot', { SnapshotId: ofSystem });
  await ecs.call('DeleteInstance', { InstanceId });
  await until(async () => (await ecs.disks({ DiskIds: JSON.stringify([system.DiskId]) })).length === 0);
  await ecs.call('DeleteSnapshot', { SnapshotId });
});

test('groups', async () => {
  const [InstanceId] = await ecs.runInstances({ DataDisk: [{ Category: 'cloud_essd', Size: 40 }] });
  const { SnapshotGroupId } = await ecs.call('CreateSnapshotGroup', { InstanceId, Name: 'all-disks' });
  const group = () => ecs.call('DescribeSnapshotGroups', { SnapshotGroupId: [SnapshotGroupId] });
  const found = await until(async () => {
    const [shown] = (await group()).SnapshotGroups.SnapshotGroup;
    return shown.Status === 'accomplished' && shown;
  });
  assert.equal(found.Name, 'all-disks');
  const members = found.Snapshots.Snapshot;
  const disks = await ecs.disks({ InstanceId });
  assert.deepEqual(members.map((each) => each.SourceDiskId).sort(), disks.map((each) => each.DiskId).sort());
  await ecs.call('ModifySnapshotGroup', { SnapshotGroupId, Name: 'renamed' });
  assert.equal((await group()).SnapshotGroups.SnapshotGroup[0].Name, 'renamed');
  const gone = await ecs.call('DeleteSnapshotGroup', { SnapshotGroupId });
  assert.equal(gone.OperationProgressSet.OperationProgress.length, members.length);
  assert.deepEqual((await group()).SnapshotGroups.SnapshotGroup, []);
});

test('policies', async () => {
  const [InstanceId] = await ecs.runInstances();
  const [{ DiskId }] = await ecs.disks({ InstanceId });
  const { AutoSnapshotPolicyId } = await ecs.call('CreateAutoSnapshotPolicy', {
    regionId: 'cn-hangzhou',
    autoSnapshotPolicyName: 'nightly',
    timePoints: '["1"]',
    repeatWeekdays: '["1","7"]',
    retentionDays: 30,
  });
  const policy = async () => {
    const answer = await ecs.call('DescribeAutoSnapshotPolicyEx', { AutoSnapshotPolicyId });
    return answer.AutoSnapshotPolicies.AutoSnapshotPolicy[0];
  };
  const made = await policy();
  assert.deepEqual([made.TimePoints, made.RepeatWeekdays, made.RetentionDays], ['["1"]', '["1","7"]', 30]);
  await ecs.call('ApplyAutoSnapshotPolicy', { autoSnapshotPolicyId: AutoSnapshotPolicyId, diskIds: `["${DiskId}"]` });
  assert.equal((await ecs.disk(DiskId)).AutoSnapshotPolicyId, AutoSnapshotPolicyId);
  assert.equal((await policy()).DiskNums, 1);
  await ecs.call('ModifyAutoSnapshotPolicyEx', { autoSnapshotPolicyId: AutoSnapshotPolicyId, retentionDays: -1 });
  assert.equal((await policy()).RetentionDays, -1);
  await ecs.call('CancelAutoSnapshotPolicy', { diskIds: `["${DiskId}"]` });
  await ecs.call('DeleteAutoSnapshotPolicy', { autoSnapshotPolicyId: AutoSnapshotPolicyId });
  assert.equal(await policy(), undefined);
});

test('locks', async () => {
  const [InstanceId] = await ecs.runInstances();
  const [{ DiskId }] = await ecs.disks({ InstanceId });
  const { SnapshotId } = await ecs.call('CreateSnapshot', { DiskId });
  await ecs.accomplished(SnapshotId);
  await ecs.call('LockSnapshot', { SnapshotId, LockMode: 'compliance', LockDuration: 1, CoolOffPeriod: 1 });
  const { LockedSnapshotsInfo } = await ecs.call('DescribeLockedSnapshots', { SnapshotIds: [SnapshotId] });
  assert.deepEqual(LockedSnapshotsInfo.map((each) => each.LockStatus), ['compliance-cooloff']);
  await ecs.refused('InvalidOperation.SnapshotLocked', 'DeleteSnapshot', { SnapshotId, Force: true });
  await ecs.call('UnlockSnapshot', { SnapshotId });
  await ecs.call('DeleteSnapshot', { SnapshotId });
});

test('tags', async () => {
  const [InstanceId] = await ecs.runInstances();
  const [{ DiskId }] = await ecs.disks({ InstanceId });
  const { SnapshotId } = await ecs.call('CreateSnapshot', { DiskId, Tag: [{ Key: 'made', Value: 'here' }] });
  const ResourceType = 'snapshot';
  const Tag = [{ Key: 'team', Value: `of ${SnapshotId}` }, { Key: 'empty', Value: '' }];
  await ecs.call('TagResources', { ResourceType, ResourceId: [SnapshotId], Tag });
  const { TagResources } = await ecs.call('ListTagResources', { ResourceType, ResourceId: [SnapshotId] });
  assert.deepEqual(TagResources.TagResource.map((each) => each.TagKey).sort(), ['empty', 'made', 'team']);
  const [seen] = await ecs.snapshots({ Tag: [Tag[0]] });
  assert.equal(seen.SnapshotId, SnapshotId);
  await ecs.call('UntagResources', { ResourceType, ResourceId: [SnapshotId], TagKey: ['team', 'made'] });
  const left = (await ecs.snapshot(SnapshotId)).Tags.Tag;
  assert.deepEqual(left.map((each) => [each.TagKey, each.TagValue]), [['empty', '']]);
});

test('paging', async () => {
  const DataDisk = Array.from({ length: 15 }, () => ({ Category: 'cloud_essd', Size: 40 }));
  await ecs.runInstances({ Amount: 100, DataDisk });
  await ecs.runInstances({ Amount: 100, DataDisk });
  const byNumber = [];
  for (let PageNumber = 1, total = 1; byNumber.length < total; PageNumber += 1) {
    const page = await ecs.call('DescribeDisks', { PageNumber, PageSize: 100 });
    byNumber.push(...page.Disks.Disk.map((each) => each.DiskId));
    total = page.TotalCount;
    assert.equal(typeof total, 'number');
  }
  const byToken = [];
  for (let NextToken; NextToken !== ''; ) {
    const page = await ecs.call('DescribeDisks', { MaxResults: 500, ...(NextToken && { NextToken }) });
    byToken.push(...page.Disks.Disk.map((each) => each.DiskId));
    NextToken = page.NextToken ?? '';
  }
  assert.ok(byNumber.length >= 3200);
  assert.equal(new Set(byNumber).size, byNumber.length);
  assert.deepEqual(byToken, byNumber);
});

test('errors', async () => {
  for (const { action, parameters, code, message } of REFUSALS) {
    const error = await ecs.refused(code, action, parameters);
    assert.ok(error.message.startsWith(`${message}, URL: `), error.message);
  }
  await new Ecs({ key: 'nobody' }).refused('InvalidAccessKeyId.NotFound', 'DescribeSnapshots');
  await new Ecs({ secret: 'wrong' }).refused('SignatureDoesNotMatch', 'DescribeSnapshots');
});

test('sts', async () => {
  const temporary = { key: 'STS.testid', secret: 'stssecret' };
  await new Ecs({ ...temporary, token: 'ststoken' }).call('DescribeSnapshots');
  await new Ecs(temporary).refused('MissingSecurityToken', 'DescribeSnapshots');
  const another = new Ecs({ ...temporary, token: 'another' });
  await another.refused('InvalidSecurityToken.MismatchWithAccessKey', 'DescribeSnapshots');
});

test('places', async () => {
  const [InstanceId] = await ecs.runInstances();
  const [{ DiskId }] = await ecs.disks({ InstanceId });
  const temporary = new Ecs({ key: 'STS.testid', secret: 'stssecret', token: 'ststoken' });
  // A POST has all of it in a form, a GET in the query; names may be left as they are written.
  for (const options of [{ method: 'GET' }, { method: 'POST' }, { method: 'GET', formatParams: false, formatAction: false }]) {
    for (const client of [ecs, temporary]) {
      const value = `${JSON.stringify(options)} ${client === ecs} ${AWKWARD}`;
      const what = { ResourceType: 'disk', ResourceId: [DiskId], Tag: [{ Key: 'place', Value: value }] };
      await client.call('TagResources', what, options);
      const { Disks } = await client.call('DescribeDisks', { Tag: [{ Key: 'place', Value: value }] }, options);
      assert.deepEqual(Disks.Disk.map((each) => [each.DiskId, each.Tags.Tag[0].TagValue]), [[DiskId, value]]);
    }
  }
});

test('https', async () => {
  const endpoint = `https://${process.env.SNAPSHOTD_TEST_TLS_ENDPOINT}`;
  const agent = new https.Agent({ ca: fs.readFileSync(process.env.SNAPSHOTD_TEST_CA) });
  await new Ecs({ endpoint, agent }).call('DescribeSnapshots');
  await assert.rejects(new Ecs({ endpoint }).call('DescribeSnapshots'), /certificate/);
});
