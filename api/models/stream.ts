/** The two streams of mail: what somebody waits for, and what may take its time. */
export const streams = ['transactional', 'bulk'] as const;
export type Stream = (typeof streams)[number];

export const DEFAULT_STREAM: Stream = 'transactional';

/** Of 0 (first) to 9: within an organization the mta sends nothing of a later priority while an earlier one is due. */
const priorities: Record<Stream, number> = { transactional: 5, bulk: 8 };
/** In the worker's queue the higher number comes first. */
const jobPriorities: Record<Stream, number> = { transactional: 0, bulk: -1 };

export function priorityOf(stream: Stream): number {
  return priorities[stream];
}

export function jobPriorityOf(stream: Stream): number {
  return jobPriorities[stream];
}

export function isStream(value: unknown): value is Stream {
  return streams.some((stream) => stream === value);
}
