/**
 * What becomes of mail that was sent with a sandbox token, by the local part of its recipient, with or without a suffix:
 * `bounce@any.test`, `bounce+1@any.test`. Any other is delivered. The words are those of large providers.
 */
import type { EventData, NewEvent } from '../models/event.ts';

export interface Step {
  type: Exclude<NewEvent['type'], 'accepted'>;
  data: EventData;
  /** Since the step before. */
  afterSeconds: number;
}

export type Script = readonly Step[];

const RETRY_SECONDS = 2;
const MX = { hostname: 'mx.sandbox.invalid', address: null };

const delivered = step('delivered', 250, '2.0.0', 'Ok: taken by the sandbox, delivered to nobody');
const greylisted = step('deferred', 451, '4.7.1', 'Greylisting in effect, please come back later');
const again = { ...greylisted, afterSeconds: RETRY_SECONDS };

/** By local part. */
export const scripts: Readonly<Record<string, Script>> = {
  deliver: [delivered],
  bounce: [
    bounced(
      'recipient-unknown',
      true,
      550,
      '5.1.1',
      'The email account that you tried to reach does not exist',
    ),
  ],
  full: [bounced('mailbox-full', false, 552, '5.2.2', 'The mailbox is over quota')],
  block: [bounced('reputation-ip', false, 550, '5.7.1', 'The client is on a blocklist')],
  'bounce-later': [
    delivered,
    {
      ...bounced('recipient-unknown', true, 550, '5.1.1', 'The account is disabled, said a report by mail'),
      afterSeconds: RETRY_SECONDS,
    },
  ],
  'defer-once': [greylisted, { ...delivered, afterSeconds: RETRY_SECONDS }],
  defer: [greylisted, again, { ...again, type: 'expired', data: { ...again.data, category: 'expired' } }],
  complain: [delivered, { type: 'complained', data: {}, afterSeconds: RETRY_SECONDS }],
  unsubscribe: [delivered, { type: 'unsubscribed', data: {}, afterSeconds: RETRY_SECONDS }],
  spam: [{ type: 'spam', data: { response: 'Taken for spam by our own filter' }, afterSeconds: 0 }],
  suppress: [
    { type: 'suppressed', data: { response: 'On the block list', category: 'suppression' }, afterSeconds: 0 },
  ],
};

/** The longest name that the local part is, or begins with before a `+`; `-` belongs to names. */
export function scriptOf(recipient: string): Script {
  const localPart = recipient.slice(0, recipient.lastIndexOf('@')).toLowerCase();
  const name = localPart.split('+')[0] ?? '';
  return (Object.hasOwn(scripts, name) ? scripts[name] : undefined) ?? [delivered];
}

function step(type: Step['type'], code: number, enhanced_code: string, text: string): Step {
  const response = `${code} ${enhanced_code} ${text}`;
  return { type, data: { response, code, enhanced_code, mx: MX }, afterSeconds: 0 };
}

function bounced(category: string, isHard: boolean, code: number, enhanced: string, text: string): Step {
  const { data, ...rest } = step('bounced', code, enhanced, text);
  const bounce = {
    class: category,
    is_hard: isHard,
    action: isHard ? 'suppress' : 'give-up',
    rule: 'sandbox',
  };
  return { ...rest, data: { ...data, category, bounce } };
}
