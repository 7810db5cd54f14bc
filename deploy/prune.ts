/** Which releases a host no longer needs. */
import type { HostFacts } from './commands/facts.ts';

/**
 * All but the newest that ran well, the one that runs, and the one that pm2's daemon was started from: it loads parts of
 * itself whenever it starts a process.
 * @param keep how many that ran well stay
 */
export function choosePrunable({ releases, current, daemon }: HostFacts, keep: number): string[] {
  const kept = new Set(releases.filter(({ isVerified }) => isVerified).slice(-keep));
  return releases
    .filter((release) => !kept.has(release) && release.name !== current && release.name !== daemon)
    .map(({ name }) => name);
}
