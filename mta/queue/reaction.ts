/** What the end of a delivery tells about its destination: whether to send it less, or more. */
import type { EventDetails } from './events.ts';
import type { Reaction } from './slowdowns.ts';

/** RFC 5321 3.8: the server closes the channel, whatever was asked of it. */
const CLOSING = /^421\b/;
const REPLY = /^[245]\d\d\b/;

/**
 * Undefined: nothing, as of an error in DNS, or of a delivery that was not attempted.
 * @param isConnected whether a host of the destination is known that was spoken to
 */
export function readReaction(
  { type, response = '', category }: Pick<EventDetails, 'type' | 'response' | 'category'>,
  { isConnected }: { isConnected: boolean },
): Reaction | undefined {
  if (type === 'delivered') return 'answer';
  if (type === 'held' || type === 'suppressed') return undefined;
  // ZoneMTA's word for what has no reply: refused, timed out, dropped; and for a greeting that says not now.
  if (category === 'network' || CLOSING.test(response)) return 'pushback';
  return isConnected && REPLY.test(response) ? 'answer' : undefined;
}
