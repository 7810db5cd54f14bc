/** The embedded Postgres outlives whatever is done to its processes. It needs no server: it is one. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, it } from 'mocha';
import pg from 'pg';
import { completeEnvironmentFile } from '../../../deploy/local/environment-file.ts';
import { locateInstallation } from '../../../deploy/local/installation.ts';
import { removeData } from '../../../deploy/local/postgres-location.ts';
import { writePrivateFile } from '../../../deploy/local/private-file.ts';
import { waitUntilGone } from '../../../deploy/local/processes.ts';

const START_DEADLINE_MS = 30_000;

describe('deploy/local/postgres', () => {
  let directory = '';
  let url = '';
  let server: ChildProcess;

  before(async () => {
    // mkdtemp makes it 0700: as root, closed to the account that Postgres runs as.
    directory = mkdtempSync(join(tmpdir(), 'postern-postgres-'));
    const port = await findFreePort();
    url = `postgres://postern:postern@127.0.0.1:${port}/postgres`;
    const { environmentFile, settingsFile } = locateInstallation(directory);
    completeEnvironmentFile(environmentFile, {});
    writePrivateFile(settingsFile, `[database]\nurl = "${url}"\n[queue]\nurl = "${url}"\n`);
    server = start();
    await query('create table kept (value text)');
  });

  after(async () => {
    await stop(server);
    removeData(locateInstallation(directory).postgresDirectory);
    rmSync(directory, { recursive: true });
  });

  it('puts its data where the account can reach it', function () {
    if (process.getuid?.() !== 0) this.skip();
    const { postgresDirectory } = locateInstallation(directory);
    assert.ok(lstatSync(postgresDirectory).isSymbolicLink());
  });

  it('keeps what was committed when it is killed, and starts again', async () => {
    await query(`insert into kept values ('before the kill')`);
    await kill(server);
    server = start();
    assert.deepEqual(await query('select value from kept'), [{ value: 'before the kill' }]);
  });

  it('takes over from a server that still runs on the data', async () => {
    const former = server;
    server = start();
    await once(former, 'exit');
    assert.equal((await query('select 1 as one')).length, 1);
    assert.equal(server.exitCode, null);
  });

  it('stops on SIGINT although clients are connected', async () => {
    const client = new pg.Client(url);
    client.on('error', () => {}); // the server ends the connection
    await client.connect();
    assert.equal(await stop(server), 0);
    await client.end().catch(() => {}); // it has gone already
    server = start();
    await query('select 1');
  });

  function start(): ChildProcess {
    return spawn(process.execPath, [resolve('deploy/local/postgres.ts')], {
      env: { PATH: process.env.PATH, POSTERN_DIRECTORY: directory },
      stdio: ['ignore', 'ignore', 'ignore'],
    });
  }

  async function query(sql: string): Promise<object[]> {
    const deadline = Date.now() + START_DEADLINE_MS;
    for (;;) {
      const client = new pg.Client(url);
      client.on('error', () => {}); // shows in the query
      try {
        await client.connect();
        return (await client.query<object>(sql)).rows;
      } catch (error) {
        const isStarting = ['ECONNREFUSED', 'ECONNRESET', '57P03'].includes(
          String(Reflect.get(Object(error), 'code')),
        );
        if (!isStarting || Date.now() > deadline) throw error;
        await sleep(100);
      } finally {
        await client.end().catch(() => {}); // it never connected
      }
    }
  }
});

async function kill(server: ChildProcess): Promise<void> {
  server.kill('SIGKILL');
  await once(server, 'exit');
}

async function stop(server: ChildProcess): Promise<number | null> {
  if (server.exitCode !== null || !server.pid) return server.exitCode;
  const exited = once(server, 'exit');
  server.kill('SIGINT');
  await exited;
  await waitUntilGone([server.pid], 1_000);
  return server.exitCode;
}

async function findFreePort(): Promise<number> {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  listener.close();
  await once(listener, 'close');
  if (typeof address !== 'object' || !address) throw new Error('a TCP listener has an address');
  return address.port;
}
