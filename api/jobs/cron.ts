/** When a job of the schedule comes next. Of cron's language only what the schedule uses: `*`, numbers, `*` by steps. */

const MINUTE_MS = 60_000;
const MAX_MINUTES = 366 * 1440;

/** @param cron minute, hour, day, month, day of the week (0 is Sunday); UTC */
export function nextRun(cron: string, after: Date): Date {
  const fields = cron.split(' ').map(readField);
  let at = Math.floor(after.getTime() / MINUTE_MS) * MINUTE_MS;
  for (let minute = 0; minute < MAX_MINUTES; minute++) {
    at += MINUTE_MS;
    const time = new Date(at);
    const values = [
      time.getUTCMinutes(),
      time.getUTCHours(),
      time.getUTCDate(),
      time.getUTCMonth() + 1,
      time.getUTCDay(),
    ];
    if (fields.every((matches, index) => matches(values[index] ?? -1))) return time;
  }
  throw new Error(`${cron} never comes`);
}

function readField(text: string): (value: number) => boolean {
  if (text === '*') return () => true;
  const step = /^\*\/(\d+)$/.exec(text)?.[1];
  if (step) return (value) => value % Number(step) === 0;
  if (!/^\d+$/.test(text)) throw new Error(`${text} is not a field of the schedule`);
  return (value) => value === Number(text);
}
