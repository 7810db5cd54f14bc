/**
 * `node deploy/host/restart.ts`, on a host, from a release: has the processes of the host's roles run from it.
 *
 * The api first and the rest when it is well, since the rest ask the api: a new gateway never meets an old api. In a
 * rollback it is the other way round. A process is told to end, finishes what it has in hand (lib/shutdown.ts), and then
 * its successor starts: for a moment its port is closed and clients come again, what was accepted is kept.
 * A process that runs from this release already is left alone, so that a run that was killed can be repeated.
 */
import type { Role } from '../inventory.ts';
import { projectRoot } from '../local/installation.ts';
import { requireHealth } from '../local/require-health.ts';
import { answer, type HostRun, healthOf, hostProgram, readHostRun } from './host.ts';
import { openSupervisor, type Supervisor } from './supervisor.ts';

const program = hostProgram('restart')
  .option('--api-last', 'the order of a rollback')
  .option('--force', 'also what runs from this release already')
  .parse();
const run = readHostRun(program);
const { apiLast, force } = program.opts<{ apiLast?: boolean; force?: boolean }>();

await answer(async () => {
  const supervisor = openSupervisor(run);
  const running = await supervisor.list(run.roles);
  const runsFromHere = (role: Role) =>
    running.some(({ name, workingDirectory }) => name === role && workingDirectory === projectRoot);
  const due = run.roles.filter((role) => force || !runsFromHere(role));
  for (const group of inOrder(run.roles)) {
    await supervisor.restart(group.filter((role) => due.includes(role)));
    await waitUntilWell(run, supervisor, group);
  }
  return due.length > 0 ? due.join(', ') : 'everything runs from this release already';
});

function inOrder(names: Role[]): Role[][] {
  const isApi = (name: Role) => name === 'api';
  const groups = [names.filter(isApi), names.filter((name) => !isApi(name))];
  return (apiLast ? groups.reverse() : groups).filter((group) => group.length > 0);
}

async function waitUntilWell(host: HostRun, { crashes }: Supervisor, group: Role[]): Promise<void> {
  await requireHealth(healthOf(host, group), {
    ...{ installation: host.installation, pm2: crashes, deadlineMs: host.healthDeadlineMs },
    ...{ signal: new AbortController().signal, note: () => {} },
  });
}
