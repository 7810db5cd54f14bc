/** When a message is to go: a moment up to 30 days ahead. */
import type { FieldReader } from './field-reader.ts';

export const MAX_DAYS_AHEAD = 30;

const DAY_MS = 86_400_000;
/** RFC 3339 5.6; the seconds may be left out, the zone may not: without it nobody knows which moment is meant. */
const MOMENT = /^(\d{4}-\d{2}-\d{2})T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})$/;

/** Null: at once. So is a moment that has passed: a client's clock may be slow. */
export function readSendAt(reader: FieldReader, now = Date.now()): Date | null {
  const value = reader.value('send_at');
  if (value === undefined) return null;
  const moment = typeof value === 'string' ? parseMoment(value) : undefined;
  if (!moment) reader.refuseField('send_at', 'is not a moment with a time zone, as 2030-01-31T09:00:00Z');
  else if (moment.getTime() > now + MAX_DAYS_AHEAD * DAY_MS) {
    reader.refuseField('send_at', `is more than ${MAX_DAYS_AHEAD} days ahead`);
  } else if (moment.getTime() > now) return moment;
  return null;
}

function parseMoment(text: string): Date | undefined {
  const day = MOMENT.exec(text)?.[1];
  const moment = new Date(text);
  if (day === undefined || Number.isNaN(moment.getTime())) return undefined;
  // Date takes the 30th of February for the 2nd of March.
  return new Date(`${day}T00:00:00Z`).toISOString().startsWith(day) ? moment : undefined;
}
