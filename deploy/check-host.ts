/** What a host lacks for a deployment, each with its remedy. */
import type { HostFacts } from './commands/facts.ts';
import type { Layout } from './commands/layout.ts';

const NEEDED = ['tar', 'gzip', 'flock', 'timeout'];

export function findHostProblems(
  facts: HostFacts,
  { root, shared }: Layout,
  { minFreeMegabytes }: { minFreeMegabytes: number },
): string[] {
  if (!facts.isPrepared)
    return [`${root} is not there or ${facts.user} may not write it: run "postern deploy setup" first`];
  const problems = NEEDED.filter((program) => !facts.programs.includes(program)).map(
    (program) => `${program} is not installed: run "postern deploy setup"`,
  );
  if (facts.environmentMode === undefined)
    problems.push(`${shared}/postern.env is not there: run "postern deploy setup"`);
  else if (!facts.environmentMode.endsWith('0'))
    problems.push(`${shared}/postern.env can be read by everybody: chmod o= it`);
  if (facts.freeMegabytes < minFreeMegabytes)
    problems.push(
      `${facts.freeMegabytes} MB are free at ${root}, and ${minFreeMegabytes} needed (minFreeMegabytes)`,
    );
  return problems;
}

export type RollbackChoice = { ok: true; release: string } | { ok: false; reason: string };

/**
 * The release that a rollback goes to: the newest that ran and was well before the one that runs now.
 * @param wanted its name, where somebody asks for one
 */
export function chooseRollback({ current, releases }: HostFacts, wanted?: string): RollbackChoice {
  if (wanted !== undefined) {
    const found = releases.find(({ name }) => name === wanted);
    if (!found) return { ok: false, reason: `there is no release ${wanted}` };
    if (!found.isVerified) return { ok: false, reason: `the release ${wanted} never ran well` };
    return { ok: true, release: wanted };
  }
  const earlier = releases.findLast(
    ({ name, isVerified }) => isVerified && (current === undefined || name < current),
  );
  return earlier
    ? { ok: true, release: earlier.name }
    : { ok: false, reason: 'there is no earlier release that ran well' };
}

/** Where a deployment that fails goes back to: what ran when it began, or what ran well before. Undefined: nowhere. */
export function chooseReturn(facts: HostFacts): string | undefined {
  const isWell = facts.releases.some(({ name, isVerified }) => name === facts.current && isVerified);
  const choice = chooseRollback(facts, isWell ? facts.current : undefined);
  return choice.ok ? choice.release : undefined;
}
