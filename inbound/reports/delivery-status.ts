/** The machine-readable part of a delivery status notification (RFC 3464), as leniently as servers write it. */
import type { RecipientOutcome, RecipientReport } from './report.ts';

const OUTCOMES: Readonly<Record<string, RecipientOutcome>> = {
  failed: 'failed',
  failure: 'failed',
  error: 'failed',
  delayed: 'delayed',
  delivered: 'delivered',
  relayed: 'delivered',
  expanded: 'delivered',
};

/** The first is the one that the sender used (RFC 3464 2.3.1). */
const NAMES = ['original-recipient', 'final-recipient', 'x-actual-recipient'];

/** The search for an address takes time in proportion to its square. */
const MAX_ADDRESS_FIELD = 1_000;

type Fields = ReadonlyMap<string, string>;

/** @param content of the message/delivery-status part. Groups without a recipient (the first is about the message) are left out. */
export function readDeliveryStatus(content: string): RecipientReport[] {
  return content
    .replaceAll(/\r\n?/g, '\n')
    .split(/\n[ \t]*\n/)
    .map(readFields)
    .flatMap((fields) => readRecipient(fields) ?? []);
}

function readFields(group: string): Fields {
  const fields = new Map<string, string>();
  for (const line of group.replaceAll(/\n[ \t]+/g, ' ').split('\n')) {
    const colon = line.indexOf(':');
    if (colon < 1) continue;
    const name = line.slice(0, colon).trim().toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (value !== '' && !fields.has(name)) fields.set(name, value);
  }
  return fields;
}

function readRecipient(fields: Fields): RecipientReport | undefined {
  const names = NAMES.flatMap((name) => fields.get(name) ?? []);
  if (names.length === 0 && !fields.has('status') && !fields.has('action')) return undefined;
  const status = /[245]\.\d{1,3}\.\d{1,3}/.exec(fields.get('status') ?? '')?.[0];
  const action =
    fields
      .get('action')
      ?.toLowerCase()
      .match(/^[a-z]+/)?.[0] ?? '';
  return {
    address: addressOf(names[0] ?? ''),
    aliases: names.slice(1).flatMap((name) => addressOf(name) ?? []),
    outcome: OUTCOMES[action] ?? outcomeOfStatus(status),
    status,
    mx: withoutType(fields.get('remote-mta')),
    diagnostic: withoutType(fields.get('diagnostic-code')) ?? '',
    prose: '',
  };
}

function outcomeOfStatus(status: string | undefined): RecipientOutcome {
  if (status?.startsWith('2')) return 'delivered';
  return status?.startsWith('4') ? 'delayed' : 'failed';
}

/** `rfc822; user@example.com` (RFC 3464 2.3.1) */
function withoutType(value: string | undefined): string | undefined {
  return value?.replace(/^[\w-]+\s*;\s*/, '').trim() || undefined;
}

function addressOf(field: string): string | undefined {
  return /[^\s<>;"]+@[^\s<>;"]+/.exec((withoutType(field) ?? '').slice(0, MAX_ADDRESS_FIELD))?.[0];
}
