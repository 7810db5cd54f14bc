/**
 * A process that is started again whenever it ends, with the delays that ecosystem.config.cjs gives to pm2; not the
 * longest of them: nothing would be left to kill.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Child } from '../world/children.ts';

const FIRST_DELAY_MS = 100;
const LAST_DELAY_MS = 1_000;
const GROWTH = 1.5;
/** After so long without an end the delay is the first again. */
const STABLE_MS = 30_000;

export interface Supervised {
  /** Of the process that runs now; that of the one before while it is started again. */
  pid: number;
  /** Ends it for good. */
  stop(signal: NodeJS.Signals): Promise<void>;
}

export function supervise(start: () => Child): Supervised {
  let child = start();
  let isStopping = false;
  void restartForEver();

  async function restartForEver(): Promise<void> {
    let delayMs = FIRST_DELAY_MS;
    for (;;) {
      const startedAt = performance.now();
      await child.ended;
      if (performance.now() - startedAt > STABLE_MS) delayMs = FIRST_DELAY_MS;
      await sleep(delayMs);
      if (isStopping) return;
      delayMs = Math.min(delayMs * GROWTH, LAST_DELAY_MS);
      child = start();
    }
  }

  return {
    get pid() {
      return child.pid;
    },
    async stop(signal) {
      isStopping = true;
      await child.stop(signal);
    },
  };
}
