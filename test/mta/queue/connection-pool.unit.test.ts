import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

interface Pool {
  has(key: string): boolean;
  add(key: string, connection: object, ttlSeconds: number): void;
  getConnection(key: string): { connection: object } | null;
}
const ConnectionPool = createRequire(import.meta.url)('../../../mta/queue/connection-pool.ts') as new (
  send: () => void,
) => Pool;

describe('connection pool', () => {
  const open = (name: string) => ({ name, connected: true, quit() {}, close() {} });
  let pool: Pool;
  beforeEach(() => {
    pool = new ConnectionPool(() => {});
  });

  it('keeps the other connections of a destination after one was reused', () => {
    pool.add('k', open('a'), 5);
    pool.add('k', open('b'), 5);
    pool.getConnection('k');

    assert.equal(pool.has('k'), true);
    assert.ok(pool.getConnection('k'));
    assert.equal(pool.has('k'), false);
  });

  it('gives no connection that the remote has closed', () => {
    const alive = open('alive');
    pool.add('k', alive, 5);
    pool.add('k', { ...open('dead'), connected: false }, 5);

    assert.equal(pool.getConnection('k')?.connection, alive);
    assert.equal(pool.getConnection('k'), null);
  });

  it('closes a connection that nobody takes', async () => {
    let isClosed = false;
    pool.add('k', { ...open('idle'), close: () => (isClosed = true) }, 0.01);
    await new Promise((resolve) => setTimeout(resolve, 60));

    assert.equal(isClosed, true);
    assert.equal(pool.has('k'), false);
  });
});
