/**
 * The states of a recipient and of a message.
 *
 * A recipient only moves up this list, so events may come twice or out of order: a late `deferred` after `delivered`
 * stays on the timeline and changes nothing. `bounced` stands above `delivered`, because a bounce may come back by mail
 * after the remote server took the message.
 */
export const states = [
  'queued',
  'deferred',
  'held',
  'cancelled',
  'suppressed',
  'expired',
  'delivered',
  'spam',
  'bounced',
] as const;
export type State = (typeof states)[number];

/**
 * The state of a message is the first of these that any of its recipients has: what needs somebody's attention, then
 * what is still under way, then the worst of the outcomes. So it is `delivered` only when everybody got it.
 */
const messageStates: readonly State[] = [
  'held',
  'deferred',
  'queued',
  'bounced',
  'spam',
  'expired',
  'suppressed',
  'cancelled',
  'delivered',
];

export function isAbove(state: State, other: State): boolean {
  return states.indexOf(state) > states.indexOf(other);
}

/** @param recipients at least one */
export function deriveMessageState(recipients: readonly State[]): State {
  const state = messageStates.find((candidate) => recipients.includes(candidate));
  if (!state) throw new Error('a message has at least one recipient');
  return state;
}
