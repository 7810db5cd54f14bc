/**
 * What Postern adds to ZoneMTA's envelopes and deliveries. Written by plugins and the queue, which may not import
 * each other; both know it from here.
 */
import type { DeliveryEvent } from './rpc/contracts/delivery-events.ts';
import type { SpamThresholds } from './spam/score.ts';

/** Set on the envelope by plugins/intake. A message without it is never queued. */
export interface MessageIdentity {
  /** The api's id of the message: the same id is queued once. */
  messageId: number;
  organizationId: number;
  /** The domain that the message is signed for, lower case, A-labels. */
  domain: string;
  /** 0 (first) to 9; 5 where nothing is said. */
  priority?: number;
  /** What the application calls it by. */
  tags?: string[];
  /** `transactional` where nothing is said */
  stream?: string;
  /** Each recipient gets a link to unsubscribe (plugins/unsubscribe). */
  hasUnsubscribeLink?: boolean;
  /** Milliseconds since the epoch, when the worker last read the block list for its recipients. */
  listsReadAt?: number;
  /** It leaves over TLS with a certificate that holds, or not at all (plugins/tls-policy). */
  requiresTls?: boolean;
  /** It leaves whatever is wrong with the recipient's TLS, and is not counted: a report of TLS (RFC 8460 5.3). */
  ignoresTlsPolicy?: boolean;
  /** W3C's, of the span that comes before; undefined: it is not traced. */
  traceparent?: string;
  /** A message that came in and goes on as it is: it keeps its author's signatures, and gets none of ours. */
  isForward?: boolean;
  /** Undefined: it is not to be checked for spam. */
  spamThresholds?: SpamThresholds;
}

/** Set on a claimed delivery by the queue. */
export interface Claim {
  /** Names this claim; an ending that names an older claim changes nothing, unless the remote has taken the mail. */
  id: string;
  /** 1 for the first attempt, counted when the claim is made: a crash does not hide an attempt. */
  attempt: number;
  /** Milliseconds since the epoch, after which there is no further attempt. */
  expiresAt: number;
  /** Of the message, as it came in. */
  recipients: number;
  /** The local address that the master has chosen, where mail has one. */
  source?: string | undefined;
}

/** Set on a delivery by plugins/status while it is attempted. */
export interface AttemptFacts {
  startedAt: string;
  mx: DeliveryEvent['mx'];
  localAddress: string | null;
  tls: DeliveryEvent['tls'];
}

/** The side of the queue that plugins/status ships from. */
export interface EventOutbox {
  /** The oldest events that have not been shipped, at most `limit`. */
  readEvents(limit: number): Promise<DeliveryEvent[]>;
  /** The api has them. */
  removeEvents(ids: readonly string[]): Promise<void>;
  /** The api refuses this one for good: it is kept aside with the reason, for people. */
  parkEvent(id: string, reason: string): Promise<void>;
  /** Calls back whenever there may be something to ship. */
  onEvents(listener: () => void): void;
}
