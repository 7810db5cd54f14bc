/**
 * intake: who may hand mail to the mta, and which message it is.
 *
 * Only the worker, with its password, over loopback. It puts header fields on top of each message that say which message
 * of the api this is; they become the message's identity and are removed. Mail without them is refused: what
 * cannot be reported on is not sent. The same message handed over twice is queued once (mta/queue/intake.ts).
 *
 * Trusts: the worker, once it has authenticated. Never: takes an identity from a message of anybody else.
 * Settings: secrets.intakePassword, mta.intakeHost, mta.intakePort.
 */

import type { MessageIdentity } from '../lib/delivery.ts';
import type { Headers, Plugin } from '../lib/mta-types.ts';
import { guard, HookRefusal, pluginContext } from '../lib/plugin.ts';
import { isSameSecret } from '../lib/secrets.ts';
import { prepareIntake } from '../lib/smtp-intake.ts';
import { parseThresholds } from '../lib/spam/score.ts';
import { readTraceparent } from '../lib/tracing/tracer.ts';

export const title = 'intake';

export const INTAKE_USER = 'worker';

const FIELDS = [
  'message',
  'organization',
  'domain',
  'priority',
  'tags',
  'stream',
  'lists-read-at',
  'unsubscribe',
  'spam-thresholds',
  'tls',
  'traceparent',
  'forward',
];
/** RFC 5321 6.3: at least 100. */
const MAX_HOPS = 100;

export const replies = {
  wrongCredential: { code: 535, enhanced: '5.7.8', text: 'Authentication credentials invalid' },
  notAuthenticated: { code: 530, enhanced: '5.7.0', text: 'Authentication required' },
  tooManyHops: { code: 554, enhanced: '5.4.6', text: 'Too many Received fields: the message is in a loop' },
  noIdentity: {
    code: 550,
    enhanced: '5.6.0',
    text: 'X-Postern-Message, -Organization or -Domain is missing or invalid',
  },
} as const;

export async function init(plugin: Plugin): Promise<void> {
  const { settings, log } = pluginContext();
  plugin.addHook('smtp:init', guard('smtp:init', log, prepareIntake));
  plugin.addHook(
    'smtp:auth',
    guard('smtp:auth', log, ({ username, password }) => {
      if (username !== INTAKE_USER || !isSameSecret(password, settings.secrets.intakePassword)) {
        throw new HookRefusal(replies.wrongCredential);
      }
    }),
  );
  plugin.addHook(
    'smtp:mail_from',
    guard('smtp:mail_from', log, (_address, session) => {
      if (session.user !== INTAKE_USER) throw new HookRefusal(replies.notAuthenticated);
    }),
  );
  plugin.addHook(
    'message:headers',
    guard('message:headers', log, (envelope) => {
      if (countHops(envelope.headers) > MAX_HOPS) throw new HookRefusal(replies.tooManyHops);
      const identity = takeIdentity(envelope.headers);
      if (!identity) throw new HookRefusal(replies.noIdentity);
      envelope.postern = identity;
    }),
  );
}

/** Reads the identity and removes its fields; undefined when it is not complete. */
export function takeIdentity(headers: Headers): MessageIdentity | undefined {
  const messageId = readInteger(headers.getFirst('x-postern-message'));
  const organizationId = readInteger(headers.getFirst('x-postern-organization'));
  const domain = /^[a-z0-9._-]{1,253}$/.exec(headers.getFirst('x-postern-domain').trim())?.[0];
  const priority = /^[0-9]$/.exec(headers.getFirst('x-postern-priority').trim())?.[0];
  const tags = readTags(headers.getFirst('x-postern-tags'));
  const stream = /^[a-z]{1,40}$/.exec(headers.getFirst('x-postern-stream').trim())?.[0];
  const listsReadAt = readInteger(headers.getFirst('x-postern-lists-read-at'));
  const hasUnsubscribeLink = headers.getFirst('x-postern-unsubscribe').trim() === 'yes';
  const spamThresholds = parseThresholds(headers.getFirst('x-postern-spam-thresholds'));
  const traceparent = readTraceparent(headers.getFirst('x-postern-traceparent').trim());
  const tls = headers.getFirst('x-postern-tls').trim();
  const isForward = headers.getFirst('x-postern-forward').trim() === 'yes';
  for (const name of FIELDS) headers.remove(`x-postern-${name}`);
  if (messageId === undefined || organizationId === undefined || domain === undefined) return undefined;
  return {
    messageId,
    organizationId,
    domain,
    ...(priority && { priority: Number(priority) }),
    ...(tags && { tags }),
    ...(stream && { stream }),
    ...(listsReadAt !== undefined && { listsReadAt }),
    ...(hasUnsubscribeLink && { hasUnsubscribeLink }),
    ...(spamThresholds && { spamThresholds }),
    ...(tls === 'required' && { requiresTls: true }),
    ...(tls === 'ignored' && { ignoresTlsPolicy: true }),
    ...(traceparent && { traceparent }),
    ...(isForward && { isForward }),
  };
}

function countHops(headers: Headers): number {
  return headers.getList().filter(({ key }) => key === 'received').length;
}

function readInteger(text: string): number | undefined {
  const value = /^\s*(\d{1,15})\s*$/.exec(text)?.[1];
  return value === undefined ? undefined : Number(value);
}

/** A JSON array of strings in base64, as a tag may hold any character. */
function readTags(text: string): string[] | undefined {
  if (!text.trim()) return undefined;
  try {
    const tags: unknown = JSON.parse(Buffer.from(text, 'base64').toString());
    return Array.isArray(tags) && tags.every((tag) => typeof tag === 'string') ? tags : undefined;
  } catch {
    return undefined; // tags help to find mail, they do not decide about it
  }
}
