/** Loaded into the master of an mta under test by NODE_OPTIONS: SIGUSR2 does what the watchdog does in the end. */
import { isMainThread } from 'node:worker_threads';

if (isMainThread && process.argv[1]?.endsWith('mta/start.ts')) {
  process.on('SIGUSR2', async () => {
    const { replaceSenders } = await import('../../mta/sender-processes.ts');
    const { runningQueue } = await import('../../mta/queue/running-queue.ts');
    replaceSenders('default', () => runningQueue()?.claims.waiters.letGo('default'));
  });
}
