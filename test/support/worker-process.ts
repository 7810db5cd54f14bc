/** The real worker (api/worker.ts) as a child of the test, to be killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'smol-toml';
import type { Settings } from '../../config/schema.ts';
import { nodeBinary, projectRoot } from '../../deploy/local/installation.ts';
import { findFreePorts } from './free-ports.ts';

export interface WorkerProcess {
  /** SIGKILL. Resolves when it is gone. */
  kill(): Promise<void>;
}

export async function startWorkerProcess({
  database,
  redis,
  storage,
  secrets,
}: Settings): Promise<WorkerProcess> {
  const directory = mkdtempSync(join(tmpdir(), 'postern-worker-'));
  const [port] = await findFreePorts(1);
  const sections = {
    environment: 'test',
    log: { level: 'warn' },
    database,
    redis,
    storage,
    worker: { port },
  };
  writeFileSync(join(directory, 'postern.toml'), stringify(sections));
  const child: ChildProcess = spawn(nodeBinary, [join(projectRoot, 'api/worker.ts')], {
    env: {
      PATH: process.env.PATH,
      POSTERN_DIRECTORY: directory,
      POSTERN_SECRET_KEY: secrets.key,
      POSTERN_SERVICE_TOKEN: secrets.serviceToken,
      POSTERN_INTAKE_PASSWORD: secrets.intakePassword,
      POSTERN_STORAGE_ACCESS_KEY_ID: secrets.storageAccessKeyId,
      POSTERN_STORAGE_SECRET_KEY: secrets.storageSecretKey,
    },
    stdio: 'ignore',
  });
  return {
    async kill() {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
