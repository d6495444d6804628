// The old SDK (RPC signature v1) pointed at a daemon, and the waiting that every script does.
'use strict';

const assert = require('node:assert/strict');
const RPCClient = require('@alicloud/pop-core');

const REGION = 'cn-hangzhou';
const REQUEST_ID = /^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$/;

class Ecs {
  constructor({ endpoint, key = 'testid', secret = 'testsecret', token, agent } = {}) {
    this.agent = agent;
    this.client = new RPCClient({
      endpoint: endpoint ?? `http://${process.env.SNAPSHOTD_TEST_ENDPOINT}`,
      apiVersion: '2014-05-26',
      accessKeyId: key,
      accessKeySecret: secret,
      securityToken: token,
    });
  }

  // The parsed answer; lists such as Tag: [{ Key, Value }] become Tag.1.Key and so on.
  async call(action, parameters = {}, more = {}) {
    const options = { method: 'POST', timeout: 30000, ...(this.agent && { agent: this.agent }), ...more };
    const answer = await this.client.request(action, { RegionId: REGION, ...parameters }, options);
    assert.match(answer.RequestId, REQUEST_ID);
    // The SDK itself takes a few values of Code for success.
    assert(!('Code' in answer), JSON.stringify(answer));
    return answer;
  }

  // Makes a call and expects this refusal; the SDK tells code and answer, and never the status.
  async refused(code, action, parameters = {}) {
    const error = await this.call(action, parameters).then(
      (answer) => assert.fail(`${action} was answered: ${JSON.stringify(answer)}`),
      (error) => error,
    );
    assert.equal(error.code, code, error.message);
    assert.match(error.data.RequestId, REQUEST_ID);
    return error;
  }

  async disks(filters) {
    return (await this.call('DescribeDisks', filters)).Disks.Disk;
  }

  async snapshots(filters) {
    return (await this.call('DescribeSnapshots', filters)).Snapshots.Snapshot;
  }

  async disk(id) {
    return (await this.disks({ DiskIds: JSON.stringify([id]) }))[0];
  }

  async snapshot(id) {
    return (await this.snapshots({ SnapshotIds: JSON.stringify([id]) }))[0];
  }

  async instance(id) {
    return (await this.call('DescribeInstances', { InstanceIds: JSON.stringify([id]) })).Instances.Instance[0];
  }

  async accomplished(id) {
    return until(async () => {
      const snapshot = await this.snapshot(id);
      return snapshot.Status === 'accomplished' && snapshot;
    });
  }

  async diskIs(id, status) {
    await until(async () => (await this.disk(id))?.Status === status);
  }

  async instanceIs(id, status) {
    await until(async () => (await this.instance(id)).Status === status);
  }

  // The ids of new instances of a public image, once they run.
  async runInstances(parameters = {}) {
    const images = await this.call('DescribeImages', { ImageOwnerAlias: 'system' });
    const { InstanceIdSets } = await this.call('RunInstances', {
      ImageId: images.Images.Image[0].ImageId,
      InstanceType: 'ecs.g7.large',
      ...parameters,
    });
    const ids = InstanceIdSets.InstanceIdSet;
    await this.instanceIs(ids.at(-1), 'Running');
    return ids;
  }
}

// What `probe` gives, as soon as that is something true.
async function until(probe) {
  for (const deadline = Date.now() + 20000; ; await new Promise((done) => setTimeout(done, 50))) {
    const found = await probe();
    if (found) return found;
    assert.ok(Date.now() < deadline, `nothing within 20 s: ${probe}`);
  }
}

module.exports = { Ecs, REGION, until };
