/**
 * What becomes of mail by the local part of its recipient: `bounce@any.test`, `bounce+1@any.test`, `bounce-x@…`.
 * Any other local part is delivered. Replies are worded as large providers word them.
 */
import { LRUCache } from 'lru-cache';
import { type Reply, createReply as reply } from '../lib/mail/reply.ts';

const MAX_REMEMBERED_RECIPIENTS = 100_000;

export interface Behaviour {
  meaning: string;
  /** Refusal of RCPT TO; `{client}` in a text stands for the client's address. */
  recipientReply?: Reply;
  /** The refusal is for the client whose address is the suffix, and for no other. */
  isForClient?: true;
  /** The refusal ends after so many attempts, */
  forAttempts?: number;
  /** or so long after the first attempt. */
  forMs?: number;
  /** Refusal after the end of data; `close`: the connection is closed instead of a reply. */
  dataReply?: Reply | 'close';
  /** How long each reply takes, from RCPT TO on. */
  delayMs?: number;
}

const tryLater = reply(451, '4.7.1', 'Greylisting in effect, please come back later');

/** RFC 1870 6.3 */
export const tooLarge = reply(552, '5.3.4', 'The message is larger than the announced SIZE');
export const internalError = reply(451, '4.3.0', 'The sandbox failed; its log knows why');

export const behaviours: Readonly<Record<string, Behaviour>> = {
  deliver: { meaning: 'Accepted' },
  bounce: {
    meaning: 'No such user',
    recipientReply: reply(550, '5.1.1', 'The email account that you tried to reach does not exist'),
  },
  'bounce-data': {
    meaning: 'Refused after the message was read',
    dataReply: reply(550, '5.3.0', 'The message was refused by the recipient'),
  },
  defer: { meaning: 'Refused for now, always', recipientReply: tryLater },
  'defer-once': {
    meaning: 'Refused for now at the first attempt, then accepted',
    recipientReply: tryLater,
    forAttempts: 1,
  },
  greylist: {
    meaning: 'Refused for now until 5 s after the first attempt, then accepted',
    recipientReply: tryLater,
    forMs: 5_000,
  },
  full: {
    meaning: 'Mailbox full, for good',
    recipientReply: reply(552, '5.2.2', 'The email account that you tried to reach is over quota'),
  },
  'full-temporary': {
    meaning: 'Mailbox full, for now',
    recipientReply: reply(452, '4.2.2', 'The email account that you tried to reach is out of storage space'),
  },
  slow: { meaning: 'Accepted; each reply takes 3 s', delayMs: 3_000 },
  drop: { meaning: 'The connection is closed after the message, without a reply', dataReply: 'close' },
  spam: {
    meaning: 'Content refused',
    dataReply: reply(550, '5.7.1', 'Our system has detected that this message is likely unsolicited mail'),
  },
  'blocked-ip': {
    meaning: 'The client is on a blocklist',
    recipientReply: reply(
      550,
      '5.7.1',
      'Service unavailable; Client host [{client}] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/{client}',
    ),
  },
  blocks: {
    meaning: 'One client is on a blocklist: `blocks-192.0.2.1@any.test`',
    isForClient: true,
    recipientReply: reply(550, '5.7.1', 'Client host [{client}] blocked using the blocklist of this site'),
  },
  'rate-limited': {
    meaning: 'Too much mail; the connection is closed (RFC 5321 3.8)',
    recipientReply: reply(
      421,
      '4.7.0',
      '[{client}] Our system has detected an unusual rate of mail, try later',
    ),
  },
};

// Longest first: `full-temporary` is no `full` with a suffix.
const names = Object.keys(behaviours).sort((a, b) => b.length - a.length);

/** @param address of the recipient */
export function findBehaviour(address: string): Behaviour {
  const localPart = address.slice(0, address.lastIndexOf('@')).toLowerCase();
  const name = names.find(
    (candidate) =>
      localPart === candidate ||
      localPart.startsWith(`${candidate}+`) ||
      localPart.startsWith(`${candidate}-`),
  );
  return behaviours[name ?? 'deliver'] ?? { meaning: 'Accepted' };
}

/** Remembers who was tried when, and what tests have scripted. */
export class RecipientAttempts {
  #attempts = new LRUCache<string, { count: number; firstAt: number }>({ max: MAX_REMEMBERED_RECIPIENTS });
  #scripts = new LRUCache<string, Reply[]>({ max: MAX_REMEMBERED_RECIPIENTS });

  /** The next attempts get these refusals, one each; after them the local part decides again. */
  script(address: string, refusals: Reply[]): void {
    this.#scripts.set(address.toLowerCase(), [...refusals]);
  }

  /** Counts an attempt. @returns the refusal of RCPT TO, if it is one */
  refusal(address: string, behaviour: Behaviour, client = '', now = Date.now()): Reply | undefined {
    const key = address.toLowerCase();
    const scripted = this.#scripts.get(key)?.shift();
    if (scripted) return scripted;
    if (behaviour.isForClient && !isNamed(address, client)) return undefined;
    const { count, firstAt } = this.#attempts.get(key) ?? { count: 0, firstAt: now };
    this.#attempts.set(key, { count: count + 1, firstAt });
    if (behaviour.forAttempts !== undefined && count >= behaviour.forAttempts) return undefined;
    if (behaviour.forMs !== undefined && now - firstAt >= behaviour.forMs) return undefined;
    return behaviour.recipientReply;
  }
}

/** `blocks-192.0.2.1+7@any.test` names 192.0.2.1. */
function isNamed(address: string, client: string): boolean {
  const suffix = address.slice(0, address.lastIndexOf('@')).replace(/^[^-]*-/, '');
  return (
    client !== '' && (suffix === client || suffix.startsWith(`${client}+`) || suffix.startsWith(`${client}-`))
  );
}
