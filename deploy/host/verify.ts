/**
 * `node deploy/host/verify.ts`, on a host, from a release: every process of the host's roles runs from it, is well, and
 * stays so for a few seconds without a crash in between.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { projectRoot } from '../local/installation.ts';
import { requireHealth } from '../local/require-health.ts';
import { StepFailure } from '../local/steps.ts';
import { answer, healthOf, hostProgram, readHostRun } from './host.ts';
import { openSupervisor } from './supervisor.ts';

const STABLE_MS = 2_000;

const run = readHostRun(hostProgram('verify').parse());
const supervisor = openSupervisor(run);
const options = {
  ...{ installation: run.installation, pm2: supervisor.crashes, deadlineMs: run.healthDeadlineMs },
  ...{ signal: new AbortController().signal, note: () => {} },
};

await answer(async () => {
  const endpoints = healthOf(run, run.roles);
  await requireHealth(endpoints, options);
  const before = await listPids();
  await sleep(STABLE_MS);
  await requireHealth(endpoints, options);
  const after = await listPids();
  for (const role of run.roles) {
    if (before.get(role) !== after.get(role)) throw new StepFailure(`${role} ended and was started again`);
  }
  return `${run.roles.length} processes are well`;
});

/** By name, of the processes of this release. */
async function listPids(): Promise<Map<string, number>> {
  const processes = (await supervisor.list(run.roles)).filter(
    ({ workingDirectory }) => workingDirectory === projectRoot,
  );
  const pids = new Map(processes.map(({ name, pid }) => [name, pid] as const));
  const missing = run.roles.filter((role) => !pids.has(role));
  if (missing.length > 0) throw new StepFailure(`${missing.join(', ')}: not of this release`);
  return pids;
}
