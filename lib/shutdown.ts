/**
 * How a process of ours ends: on SIGTERM or SIGINT it runs its closing steps, last opened first, and exits 0;
 * after the deadline it exits 1. An unhandled error ends the process at once: pm2 starts a new one (DU-13).
 */
import type { Logger } from './log.ts';

const DEADLINE_MS = 10_000;

type Close = () => Promise<unknown> | unknown;

export interface Shutdown {
  /** Registers a step; steps run in reverse order of registration, each after the one before has finished. */
  add(name: string, close: Close): void;
  /** Runs the steps and exits. Safe to call more than once. */
  now(exitCode?: number): Promise<void>;
}

export function handleShutdown(log: Logger, { deadlineMs = DEADLINE_MS } = {}): Shutdown {
  const steps: { name: string; close: Close }[] = [];
  let closing = false;

  async function now(exitCode = 0): Promise<void> {
    if (closing) return;
    closing = true;
    setTimeout(() => {
      log.error({ deadlineMs }, 'shutdown.timed_out');
      process.exit(1);
    }, deadlineMs).unref();
    for (const { name, close } of steps.reverse()) {
      try {
        await close();
      } catch (error) {
        log.error({ err: error, step: name }, 'shutdown.step_failed');
      }
    }
    log.info('shutdown.finished');
    process.exit(exitCode);
  }

  function crash(error: unknown): void {
    log.fatal({ err: error }, 'process.crashed');
    process.exit(1);
  }

  process.once('SIGTERM', () => void now());
  process.once('SIGINT', () => void now());
  process.on('uncaughtException', crash);
  process.on('unhandledRejection', crash);
  return { add: (name, close) => void steps.push({ name, close }), now };
}
