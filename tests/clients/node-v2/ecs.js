// The new SDK (ACS3-HMAC-SHA256) pointed at a daemon, and the waiting that every script does.
'use strict';

const assert = require('node:assert/strict');
const models = require('@alicloud/ecs20140526');
const { $OpenApiUtil } = require('@alicloud/openapi-core');

const Client = models.default;
const REGION = 'cn-hangzhou';
const REQUEST_ID = /^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$/;

function connect(changes = {}) {
  return new Client(new $OpenApiUtil.Config({
    accessKeyId: 'testid',
    accessKeySecret: 'testsecret',
    endpoint: process.env.SNAPSHOTD_TEST_ENDPOINT,
    protocol: 'HTTP',
    regionId: REGION,
    ...changes,
  }));
}

const client = connect();

// Calls the client's method of this name with its request class; the body of the answer.
async function call(action, parameters = {}, on = client) {
  const method = action[0].toLowerCase() + action.slice(1);
  const { statusCode, body } = await on[method](new models[`${action}Request`]({ regionId: REGION, ...parameters }));
  assert.equal(statusCode, 200);
  assert.match(body.requestId, REQUEST_ID);
  return body;
}

// Expects that the call is refused so; the SDK tells code, status and RequestId.
async function refused(code, status, calling) {
  const error = await calling.then((body) => assert.fail(`answered: ${JSON.stringify(body)}`), (error) => error);
  assert.deepEqual([error.code, error.statusCode], [code, status], error.message);
  assert.match(error.requestId, REQUEST_ID);
  return error;
}

const disks = async (filters) => (await call('DescribeDisks', filters)).disks.disk;
const disk = async (id) => (await disks({ diskIds: JSON.stringify([id]) }))[0];
const snapshots = async (filters) => (await call('DescribeSnapshots', filters)).snapshots.snapshot;
const snapshot = async (id) => (await snapshots({ snapshotIds: JSON.stringify([id]) }))[0];
const instance = async (id) =>
  (await call('DescribeInstances', { instanceIds: JSON.stringify([id]) })).instances.instance[0];

const diskIs = (id, status) => until(async () => (await disk(id))?.status === status);
const instanceIs = (id, status) => until(async () => (await instance(id)).status === status);

function accomplished(id) {
  return until(async () => {
    const found = await snapshot(id);
    return found.status === 'accomplished' && found;
  });
}

// The ids of new instances of a public image, once they run.
async function runInstances(parameters = {}) {
  const { images } = await call('DescribeImages', { imageOwnerAlias: 'system' });
  const { instanceIdSets } = await call('RunInstances', {
    imageId: images.image[0].imageId,
    instanceType: 'ecs.g7.large',
    ...parameters,
  });
  const ids = instanceIdSets.instanceIdSet;
  await instanceIs(ids.at(-1), 'Running');
  return ids;
}

// What `probe` gives, as soon as that is something true.
async function until(probe) {
  for (const deadline = Date.now() + 20000; ; await new Promise((done) => setTimeout(done, 50))) {
    const found = await probe();
    if (found) return found;
    assert.ok(Date.now() < deadline, `nothing within 20 s: ${probe}`);
  }
}

module.exports = {
  REGION, accomplished, call, client, connect, disk, diskIs, disks, instanceIs, models, refused, runInstances,
  snapshot, snapshots, until,
};
