/**
 * `node deploy/host/verify.ts`, on a host, from a release: every process of the host's roles runs from it, is well, and
 * stays so for a few seconds without a crash in between.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { projectRoot } from '../local/installation.ts';
import { openPm2 } from '../local/pm2.ts';
import { listOwnProcesses } from '../local/processes.ts';
import { requireHealth } from '../local/require-health.ts';
import { StepFailure } from '../local/steps.ts';
import { answer, healthOf, hostProgram, readHostRun } from './host.ts';

const STABLE_MS = 2_000;

const run = readHostRun(hostProgram('verify').parse());
const pm2 = openPm2(run.installation);
const options = {
  ...{ installation: run.installation, pm2, deadlineMs: run.healthDeadlineMs },
  ...{ signal: new AbortController().signal, note: () => {} },
};

await answer(async () => {
  const endpoints = healthOf(run, run.roles);
  await requireHealth(endpoints, options);
  const before = listPids();
  await sleep(STABLE_MS);
  await requireHealth(endpoints, { ...options, deadlineMs: 0 });
  const after = listPids();
  for (const role of run.roles) {
    if (before.get(role) !== after.get(role)) throw new StepFailure(`${role} ended and was started again`);
  }
  return `${run.roles.length} processes are well`;
});

/** By name, of the processes of this release. */
function listPids(): Map<string, number> {
  const processes = listOwnProcesses(run.installation.directory).filter(
    ({ workingDirectory }) => workingDirectory === projectRoot,
  );
  const pids = new Map(processes.map(({ name, pid }) => [name, pid] as const));
  const missing = run.roles.filter((role) => !pids.has(role));
  if (missing.length > 0) throw new StepFailure(`${missing.join(', ')}: not of this release`);
  return pids;
}
