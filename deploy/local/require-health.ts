/** Processes that pm2 has started are to become well; where one does not, the end of its log says why. */
import { type Endpoint, waitForHealth } from './health.ts';
import type { Installation } from './installation.ts';
import { readLastLines } from './logs.ts';
import type { Pm2 } from './pm2.ts';
import { StepFailure } from './steps.ts';

/** A process that crashed this often while we waited will not come up by waiting. */
const HOPELESS_RESTARTS = 8;

/** Resolves when all are green. Throws StepFailure with the reason of each that stays red. */
export async function requireHealth(
  endpoints: Endpoint[],
  {
    installation,
    pm2,
    deadlineMs,
    signal,
    note,
  }: {
    installation: Installation;
    pm2: Pick<Pm2, 'list'>;
    deadlineMs: number;
    signal: AbortSignal;
    note: (text: string) => void;
  },
): Promise<void> {
  /** As it was when they were first asked for */
  const restartsBefore = new Map<string, number>();
  const red = await waitForHealth(endpoints, {
    deadlineMs,
    signal,
    onChange: (names) => note(`waiting for ${[...names.keys()].join(', ')}`),
    async hasGivenUp(names) {
      const processes = (await pm2.list()).filter(({ name }) => names.includes(name));
      return processes.some(({ name, status, restarts }) => {
        const before = restartsBefore.get(name) ?? restarts;
        restartsBefore.set(name, before);
        return ['stopped', 'errored'].includes(status) || restarts - before >= HOPELESS_RESTARTS;
      });
    },
  });
  if (red.size === 0) return;
  const reports = [...red].map(
    ([name, reason]) => `${name} ${reason}. The end of ${name}.log:\n${readLastLines(installation, name)}`,
  );
  throw new StepFailure(reports.join('\n'));
}
