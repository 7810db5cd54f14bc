import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'mocha';
import { locateInstallation } from '../../../deploy/local/installation.ts';
import {
  findOwnProcesses,
  findProcessesIn,
  isAlive,
  terminateProcesses,
} from '../../../deploy/local/processes.ts';

const IDLE = 'console.log("ready"); setInterval(() => {}, 1000);';

describe('deploy/local/processes', () => {
  let directory = '';
  const children: ChildProcess[] = [];

  before(function () {
    if (process.platform !== 'linux') this.skip();
    directory = mkdtempSync(join(tmpdir(), 'postern-processes-'));
  });

  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });

  after(() => rmSync(directory, { recursive: true, force: true }));

  it('finds what pm2 started for the directory, and nothing of another one', async () => {
    const { pm2Home } = locateInstallation(directory);
    const own = await start(IDLE, { PM2_HOME: pm2Home, pm_id: '0' });
    await start(IDLE, { PM2_HOME: `${pm2Home}-other`, pm_id: '0' });
    await start(IDLE, { PM2_HOME: pm2Home }); // a shell in which somebody set PM2_HOME
    assert.deepEqual(findOwnProcesses(directory), [own]);
  });

  it('finds processes by their working directory', async () => {
    const pid = await start(IDLE, {});
    assert.deepEqual(findProcessesIn(directory), [pid]);
  });

  it('ends a process that heeds SIGINT, and one that does not', async () => {
    const stubborn = `process.on('SIGINT', () => {}); ${IDLE}`;
    const pids = [await start(IDLE, {}), await start(stubborn, {})];
    await terminateProcesses(pids, { deadlineMs: 300 });
    assert.deepEqual(pids.filter(isAlive), []);
  });

  async function start(program: string, env: NodeJS.ProcessEnv): Promise<number> {
    const child = spawn(process.execPath, ['--eval', program], { cwd: directory, env, stdio: 'pipe' });
    children.push(child);
    await once(child.stdout, 'data');
    assert.ok(child.pid);
    return child.pid;
  }
});
