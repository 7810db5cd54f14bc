import assert from 'node:assert/strict';
import { TIDY_STORAGE } from '../../../api/jobs/schedule.ts';
import { tidyStorage } from '../../../api/jobs/tidy-storage.ts';
import { loadSource } from '../../../api/storage/load-source.ts';
import { type ObjectStore, openObjectStore } from '../../../api/storage/object-store.ts';
import { type ObjectStorage, passOn, startObjectStorage } from '../../support/object-storage.ts';
import { testRedisUrl } from '../../support/postgres.ts';
import { startWorkerProcess } from '../../support/worker-process.ts';
import { countRows, log, sendRequest, startTestApi, type Tenant, type TestApi } from '../support.ts';

describe('sources of ended messages, and object storage', () => {
  let storage: ObjectStorage;
  let api: TestApi;
  let tenant: Tenant;
  let objects: ObjectStore | undefined;

  before(async () => {
    storage = await startObjectStorage();
    const { endpoint, secrets } = storage;
    api = await startTestApi('storage', {
      storage: { endpoint, moveAfterSeconds: 0, timeoutMs: 2_000 },
      secrets,
      redis: { url: testRedisUrl() },
    });
    objects = openObjectStore(api.settings);
    tenant = await api.createTenant();
  });
  afterEach(() => {
    storage.intercept = passOn;
  });
  after(async () => {
    await api.close();
    await storage.close();
  });

  const tidy = (settings = api.settings) => tidyStorage({ pool: api.store.pool, objects, settings, log });

  async function send(state: string): Promise<number> {
    const response = await api.app.inject(sendRequest(tenant, { textbody: `Hello ${Math.random()}` }));
    assert.equal(response.statusCode, 200, response.body);
    const { id } = response.json<{ id: number }>();
    await api.store.pool.query('update messages set state = $2 where id = $1', [id, state]);
    return id;
  }

  const readSource = (id: number) =>
    api.app.inject({
      url: `/api/v1/messages/${id}/source`,
      headers: { 'mailpace-server-token': tenant.token },
    });

  async function isLocal(id: number): Promise<boolean> {
    return (await countRows(api, `message_sources where message_id = ${id}`)) === 1;
  }

  const keysOf = async (id: number) =>
    (await storage.listKeys()).filter((key) => key.includes(`/messages/${id}-`));

  it('move there, are the same from there, and leave Postgres', async () => {
    const id = await send('delivered');
    const before = await readSource(id);

    await tidy();

    assert.equal(await isLocal(id), false);
    assert.deepEqual((await readSource(id)).rawPayload, before.rawPayload);
    const [key = '', ...more] = await keysOf(id);
    assert.deepEqual(more, []);
    assert.match(
      key,
      new RegExp(
        `^organizations/${tenant.organizationId}/messages/${id}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\\.eml$`,
      ),
    );
    const parts = await api.app.inject({
      url: `/api/v1/messages/${id}/parts`,
      headers: { 'mailpace-server-token': tenant.token },
    });
    assert.match(parts.json<{ text: string }>().text, /^Hello/);
  });

  it('stay while the message is under way, or has not ended for long', async () => {
    const waiting = await Promise.all(['queued', 'deferred', 'held'].map(send));
    await tidy();
    for (const id of waiting) assert.equal(await isLocal(id), true);

    const fresh = await send('bounced');
    await tidy({ ...api.settings, storage: { ...api.settings.storage, moveAfterSeconds: 60 } });
    assert.equal(await isLocal(fresh), true);
    await tidy();
    assert.equal(await isLocal(fresh), false);
  });

  it('stay when the copy is not what was written, and move to the same key the next time', async () => {
    const id = await send('expired');
    storage.intercept = ({ method }, response) => {
      if (method !== 'GET') return false;
      response.end('something else');
      return true;
    };
    await assert.rejects(tidy(), /is not what was written/);
    storage.intercept = passOn;
    assert.equal(await isLocal(id), true);
    assert.equal((await readSource(id)).statusCode, 200);
    const keys = await keysOf(id);

    await tidy();

    assert.equal(await isLocal(id), false);
    assert.deepEqual(await keysOf(id), keys);
  });

  it('that are refused keep no other from moving', async () => {
    const [refused = 0, other = 0] = [await send('delivered'), await send('delivered')];
    storage.intercept = ({ method, url }, response) => {
      if (method !== 'PUT' || !url?.includes(`/messages/${refused}-`)) return false;
      response.writeHead(403).end();
      return true;
    };

    await tidy();
    assert.deepEqual([await isLocal(refused), await isLocal(other)], [true, false]);

    storage.intercept = passOn;
    await tidy();
    assert.equal(await isLocal(refused), false);
  });

  it('stay while the storage is away; what is there cannot be read, and is not gone', async () => {
    const [moved, waiting] = [await send('delivered'), await send('queued')];
    await tidy();
    await api.store.pool.query("update messages set state = 'delivered' where id = $1", [waiting]);
    storage.intercept = ({ socket }) => {
      socket.destroy();
      return true;
    };

    await assert.rejects(tidy());
    assert.equal(await isLocal(waiting), true);
    assert.equal((await readSource(waiting)).statusCode, 200);
    const answer = await readSource(moved);
    assert.deepEqual([answer.statusCode, answer.headers['retry-after']], [503, '2']);

    storage.intercept = passOn;
    assert.equal((await readSource(moved)).statusCode, 200);
  });

  for (const [moment, method] of [
    ['while it is copied', 'PUT'],
    ['between the copy and the deletion', 'GET'],
  ] as const) {
    it(`are not lost when the worker is killed ${moment}`, async () => {
      const id = await send('delivered');
      const before = await readSource(id);
      const reached = Promise.withResolvers<void>();
      storage.intercept = (request) => {
        if (request.method !== method || !request.url?.includes(`/messages/${id}-`)) return false;
        reached.resolve();
        return true; // and never answers
      };
      const worker = await startWorkerProcess(api.settings);
      try {
        await api.store.boss.send(TIDY_STORAGE, {});
        await reached.promise;
      } finally {
        await worker.kill();
      }
      // Its job stands in the way of the next until its heart has not beaten for ten seconds.
      await api.store.pool.query('delete from pgboss.job where name = $1', [TIDY_STORAGE]);

      assert.equal(await isLocal(id), true);
      assert.deepEqual((await readSource(id)).rawPayload, before.rawPayload);
      storage.intercept = passOn;
      await tidy();
      assert.equal(await isLocal(id), false);
      assert.equal((await keysOf(id)).length, 1);
      assert.deepEqual((await readSource(id)).rawPayload, before.rawPayload);
    });
  }

  it('do not wait for a storage that is silent', async () => {
    const id = await send('delivered');
    await tidy();
    storage.intercept = () => true; // and never answers
    assert.equal((await readSource(id)).statusCode, 503);
  });

  it('are gone when the storage has lost them', async () => {
    const id = await send('delivered');
    await tidy();
    for (const key of await keysOf(id)) await objects?.remove(key);
    assert.equal((await readSource(id)).statusCode, 410);
  });

  it('cannot be read where the storage is not configured any more', async () => {
    const id = await send('delivered');
    await tidy();
    const result = await loadSource(api.store.pool, undefined, id);
    assert.equal(!result.ok && result.reason, 'unavailable');
  });

  describe('removed from the storage', () => {
    const enqueue = (key: string, due = 'now()') =>
      api.store.pool.query(`insert into object_removals (object_key, due_at) values ($1, ${due})`, [key]);

    it('are noted until they are gone, also when they were gone already', async () => {
      const id = await send('delivered');
      await tidy();
      const [key = ''] = await keysOf(id);
      await enqueue(key);
      await enqueue('organizations/1/messages/1-not-there.eml');
      await enqueue('organizations/1/messages/2-later.eml', "now() + interval '1 hour'");
      storage.intercept = ({ method }, response) => {
        if (method !== 'DELETE') return false;
        response.writeHead(500).end();
        return true;
      };
      await assert.rejects(tidy());
      assert.equal(await countRows(api, 'object_removals'), 3);

      storage.intercept = passOn;
      await tidy();
      assert.equal(await countRows(api, 'object_removals'), 1);
      assert.deepEqual(await keysOf(id), []);
      await api.store.pool.query('delete from object_removals');
    });
  });
});
