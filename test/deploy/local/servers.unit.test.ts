import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { findOwnPostgres, findOwnRedisPort } from '../../../deploy/local/servers.ts';
import { createTestSettings } from '../../support/settings.ts';

describe('deploy/local/servers', () => {
  it('runs both by default, on the ports of the settings', () => {
    const settings = createTestSettings();
    assert.deepEqual(findOwnPostgres(settings, {}), {
      port: 15432,
      user: 'postern',
      password: 'postern',
      databases: ['postern', 'postern_queue'],
    });
    assert.equal(findOwnRedisPort(settings, {}), 16379);
  });

  it('runs none whose URL is set', () => {
    const urls = {
      DATABASE_URL: 'postgres://127.0.0.1/a',
      QUEUE_DATABASE_URL: 'postgres://127.0.0.1/b',
      REDIS_URL: 'redis://127.0.0.1',
    };
    assert.equal(findOwnPostgres(createTestSettings(), urls), undefined);
    assert.equal(findOwnRedisPort(createTestSettings(), urls), undefined);
  });

  it('runs Postgres for the one database whose URL is not set', () => {
    const own = findOwnPostgres(createTestSettings(), { DATABASE_URL: 'postgres://db.test/postern' });
    assert.deepEqual(own?.databases, ['postern_queue']);
  });

  it('runs none for another host that the settings name', () => {
    const settings = createTestSettings({
      database: { url: 'postgres://db.test/postern' },
      queue: { url: 'postgres://db.test/queue' },
      redis: { url: 'redis://cache.test/0' },
    });
    assert.equal(findOwnPostgres(settings, {}), undefined);
    assert.equal(findOwnRedisPort(settings, {}), undefined);
  });
});
