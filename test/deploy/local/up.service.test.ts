/** bin/up where it must fail or is interrupted: it says why, and leaves nothing behind. Success is what bin/test runs on. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { locateInstallation } from '../../../deploy/local/installation.ts';
import { explainTakenPort } from '../../../deploy/local/ports.ts';
import { removeData } from '../../../deploy/local/postgres-location.ts';
import { findOwnProcesses, isAlive } from '../../../deploy/local/processes.ts';
import { writeTestSettings } from '../../support/test-installation.ts';

describe('bin/up', () => {
  let directory = '';

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'postern-up-'));
    await writeTestSettings(locateInstallation(directory).settingsFile, { hasRspamd: false });
  });

  afterEach(() => {
    removeData(locateInstallation(directory).postgresDirectory);
    rmSync(directory, { recursive: true });
  });

  it('names the port that is taken and who holds it, and starts nothing', async () => {
    const port = readPort('worker');
    const holder = await listen(port);
    const { code, stderr } = await run('up.ts');
    holder.close();
    await once(holder, 'close');

    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`tcp port ${port} \\(worker\\): is taken by ${process.pid} \\(`));
    await assertNothingRuns();
  });

  it('lists every problem of the settings, and starts nothing', async () => {
    writeFileSync(locateInstallation(directory).settingsFile, 'hostnam = "x"\n[api]\nport = 0\n');
    const { code, stderr } = await run('up.ts');
    assert.equal(code, 1);
    assert.match(stderr, /hostnam: unknown setting/);
    assert.match(stderr, /api\.port: must be >= 1/);
    await assertNothingRuns();
  });

  it('refuses production', async () => {
    const { code, stderr } = await run('up.ts', { POSTERN_ENV: 'production' });
    assert.equal(code, 1);
    assert.match(stderr, /gateway\.certificateFile, gateway\.privateKeyFile: required in production/);
    await assertNothingRuns();
  });

  it('stops what it has started when it is interrupted', async () => {
    const child = start('up.ts', {});
    await waitFor(() => existsSync(join(directory, 'log/postgres.log')));
    child.kill('SIGINT');
    const { code, stderr } = await finish(child);
    assert.equal(code, 130);
    assert.match(stderr, /interrupted/);
    await assertNothingRuns();
  });

  it('is undone by bin/down also after a kill -9 of itself and of pm2', async () => {
    const child = start('up.ts', {});
    const logs = ['postgres', 'redis'].map((name) => join(directory, `log/${name}.log`));
    await waitFor(() =>
      logs.every((file) => existsSync(file) && /ready to accept/i.test(readFileSync(file, 'utf8'))),
    );
    child.kill('SIGKILL');
    await finish(child);
    process.kill(
      Number(readFileSync(join(locateInstallation(directory).pm2Home, 'pm2.pid'), 'utf8')),
      'SIGKILL',
    );
    assert.ok(findOwnProcesses(directory).length >= 2, 'postgres and redis run on');

    assert.equal((await run('down.ts')).code, 0);
    await assertNothingRuns();
  });

  it('bin/down may find nothing to stop', async () => {
    assert.equal((await run('down.ts')).code, 0);
    await assertNothingRuns();
  });

  async function assertNothingRuns(): Promise<void> {
    assert.deepEqual(findOwnProcesses(directory), []);
    const pidFile = join(locateInstallation(directory).pm2Home, 'pm2.pid');
    const pid = existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8')) : undefined;
    assert.ok(pid === undefined || !isAlive(pid), `the pm2 daemon ${pid} still runs`);
    const toml = readFileSync(locateInstallation(directory).settingsFile, 'utf8');
    for (const [, port] of toml.matchAll(/(?:port = |127\.0\.0\.1:)(\d{2,})/gi)) {
      const own = { process: 'test', host: '127.0.0.1', port: Number(port), transport: 'tcp' as const };
      assert.equal(await explainTakenPort(own), undefined, `port ${port}`);
    }
  }

  function readPort(section: string): number {
    const toml = readFileSync(locateInstallation(directory).settingsFile, 'utf8');
    return Number(new RegExp(`\\[${section}\\]\\nport = (\\d+)`).exec(toml)?.[1]);
  }

  function start(program: string, variables: NodeJS.ProcessEnv) {
    return spawn(process.execPath, [resolve('deploy/local', program), '--directory', directory], {
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...variables },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  }

  const run = (program: string, variables: NodeJS.ProcessEnv = {}) => finish(start(program, variables));
});

async function finish(child: ReturnType<typeof spawn>): Promise<{ code: number | null; stderr: string }> {
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk;
  });
  await once(child, 'close');
  return { code: child.exitCode, stderr };
}

async function listen(port: number): Promise<Server> {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

async function waitFor(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 50));
}
