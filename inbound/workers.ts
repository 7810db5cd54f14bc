/** Starts the processes that receive, starts a new one for each that dies, and ends them one and all. */
import cluster, { type Worker } from 'node:cluster';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Settings } from '../config/schema.ts';
import type { Logger } from '../lib/log.ts';
import { AdmissionDesk } from './admission.ts';

const RESTART_DELAY_MS = 500;

export interface Workers {
  /** Throws while not all of them listen. */
  check(): void;
  /** Resolves when all have ended. */
  stop(): Promise<void>;
}

export function startWorkers(inbound: Settings['inbound'], log: Logger): Workers {
  const wanted = inbound.workers || availableParallelism();
  const desk = new AdmissionDesk(inbound);
  const listening = new Set<Worker>();
  let isStopping = false;
  cluster.setupPrimary({ exec: join(import.meta.dirname, 'worker.ts') });

  const start = () => {
    if (isStopping) return;
    const worker = cluster.fork();
    desk.serve(worker);
    worker.once('listening', () => {
      listening.add(worker);
      log.info({ worker: worker.process.pid }, 'worker.started');
    });
    worker.once('exit', (code, signal) => {
      listening.delete(worker);
      desk.forget(worker);
      if (isStopping) return;
      log.error({ worker: worker.process.pid, code, signal }, 'worker.died');
      setTimeout(start, RESTART_DELAY_MS);
    });
  };
  for (let index = 0; index < wanted; index += 1) start();

  return {
    check() {
      if (listening.size < wanted) throw new Error(`${listening.size} of ${wanted} workers listen`);
    },
    async stop() {
      isStopping = true;
      const all = Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
      await Promise.all(
        all.map((worker) => {
          const ended = new Promise((resolve) => worker.once('exit', resolve));
          worker.process.kill('SIGTERM');
          return ended;
        }),
      );
    },
  };
}
