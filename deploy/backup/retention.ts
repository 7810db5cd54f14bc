/** Which backups stay: the last of each of so many days, weeks and months (UTC) that have one, and always the newest. */

export interface Keeping {
  keepDaily: number;
  keepWeekly: number;
  keepMonthly: number;
}

const DAY_MS = 86_400_000;
/** 5 January 1970 was a Monday (ISO 8601). */
const FIRST_MONDAY_MS = 4 * DAY_MS;

const periods = {
  keepDaily: (time: number) => Math.floor(time / DAY_MS),
  keepWeekly: (time: number) => Math.floor((time - FIRST_MONDAY_MS) / (7 * DAY_MS)),
  keepMonthly: (time: number) => new Date(time).toISOString().slice(0, 7),
} as const;

/** @returns those that may go, oldest first */
export function selectExpired<T extends { createdAt: Date }>(backups: readonly T[], keeping: Keeping): T[] {
  const newestFirst = backups.toSorted((a, b) => b.createdAt.getTime() - a.createdAt.getTime());
  const kept = new Set(newestFirst.slice(0, 1));
  for (const [rule, periodOf] of Object.entries(periods) as [keyof Keeping, (time: number) => unknown][]) {
    const seen = new Set<unknown>();
    for (const backup of newestFirst) {
      if (seen.size === keeping[rule]) break;
      const period = periodOf(backup.createdAt.getTime());
      if (seen.has(period)) continue;
      seen.add(period);
      kept.add(backup);
    }
  }
  return newestFirst.filter((backup) => !kept.has(backup)).reverse();
}
