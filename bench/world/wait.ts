import { setTimeout as sleep } from 'node:timers/promises';

/** Until `condition` is true. @throws when it is not within the time, naming what was waited for */
export async function waitUntil(
  name: string,
  condition: () => boolean | Promise<boolean>,
  { timeoutMs = 30_000, everyMs = 50 } = {},
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`${name}: not within ${timeoutMs / 1000} s`);
    await sleep(everyMs);
  }
}
