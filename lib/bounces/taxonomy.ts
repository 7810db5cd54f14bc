/**
 * What a refusal means: one vocabulary for SMTP replies, delivery status notifications (RFC 3464) and the prose of mail
 * servers that know neither.
 *
 * `hard` means that the address itself is at fault, for good: it is suppressed. All else is soft: a mailbox may be
 * emptied, a block lifted, a message made shorter.
 */

/** What is to be done, beside ending or repeating the delivery. */
export const actions = {
  suppress: 'the address gets no more mail',
  retry: 'the schedule goes on, where the reply allows it',
  'retry-elsewhere': 'another local address may be welcome',
  'slow-down': 'the site wants less at a time',
  'give-up': 'this message will not do; the address is fine',
  page: 'an operator has something to repair',
} as const;
export type Action = keyof typeof actions;

interface BounceClassFacts {
  isHard: boolean;
  action: Action;
  meaning: string;
}

export const bounceClasses = {
  'recipient-unknown': { isHard: true, action: 'suppress', meaning: 'no such mailbox' },
  'recipient-moved': { isHard: true, action: 'suppress', meaning: 'the mailbox has another address now' },
  'domain-unknown': { isHard: true, action: 'suppress', meaning: 'no such domain, or no host for it' },
  'domain-without-mail': { isHard: true, action: 'suppress', meaning: 'the domain takes no mail (RFC 7505)' },
  'mailbox-full': { isHard: false, action: 'retry', meaning: 'over quota' },
  'mailbox-inactive': { isHard: false, action: 'give-up', meaning: 'disabled, suspended or expired mailbox' },
  'recipient-refused': { isHard: false, action: 'give-up', meaning: 'the recipient takes no mail from us' },
  'content-spam': { isHard: false, action: 'give-up', meaning: 'taken for spam' },
  'content-virus': { isHard: false, action: 'give-up', meaning: 'taken for a virus' },
  'content-refused': { isHard: false, action: 'give-up', meaning: 'something in the message is not allowed' },
  size: { isHard: false, action: 'give-up', meaning: 'too large' },
  'policy-auth': { isHard: false, action: 'page', meaning: 'SPF, DKIM or DMARC failed' },
  policy: { isHard: false, action: 'give-up', meaning: 'against the rules of the site' },
  'sender-refused': { isHard: false, action: 'give-up', meaning: 'the envelope sender is not welcome' },
  'reputation-ip': { isHard: false, action: 'retry-elsewhere', meaning: 'our address is blocked' },
  'reputation-domain': { isHard: false, action: 'page', meaning: 'the sending domain is blocked' },
  'host-name': { isHard: false, action: 'page', meaning: 'reverse DNS or HELO is wrong' },
  'rate-limited': { isHard: false, action: 'slow-down', meaning: 'too much at a time' },
  greylisted: { isHard: false, action: 'retry', meaning: 'come again later' },
  network: { isHard: false, action: 'retry', meaning: 'no connection, or it was lost; a loop' },
  tls: { isHard: false, action: 'retry', meaning: 'no encryption both agree on' },
  system: { isHard: false, action: 'retry', meaning: 'the remote server is in trouble' },
  protocol: { isHard: false, action: 'give-up', meaning: 'a command or address was not understood' },
  expired: { isHard: false, action: 'give-up', meaning: 'tried for too long' },
  other: { isHard: false, action: 'retry', meaning: 'nothing that we know' },
} as const satisfies Record<string, BounceClassFacts>;
export type BounceClass = keyof typeof bounceClasses;

export function isBounceClass(value: string): value is BounceClass {
  return Object.hasOwn(bounceClasses, value);
}

export function isAction(value: string): value is Action {
  return Object.hasOwn(actions, value);
}
