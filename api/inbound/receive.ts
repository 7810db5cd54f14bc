/**
 * Takes messages over that came in: their sources, a row for each recipient, and what is to be told, in one transaction
 * for all that come at the same time. Where each recipient's mail goes is looked up again here: the inbound server may
 * have believed an answer that was true a minute ago.
 */
import type { Settings } from '../../config/schema.ts';
import { normalizeAddress } from '../../lib/mail/address.ts';
import { splitMessage } from '../../lib/mail/header-block.ts';
import type { NewInboundMessage } from '../../lib/rpc/contracts/inbound-messages.ts';
import { createCommitGroup } from '../commit-group.ts';
import type { Store, Transaction } from '../database.ts';
import { decodeField } from '../mail/decode-field.ts';
import {
  type InboundTarget,
  type InsertedMessage,
  insertInboundMessages,
  type TakenMessage,
} from '../models/inbound-intake.ts';
import { findRepliedMessage, noteReplies } from '../models/inbound-reply.ts';
import { listRoutesOfHost } from '../models/inbound-route.ts';
import { findRecipient } from './find-recipient.ts';
import { forwardMessage } from './forward.ts';

export type ReceiveResult =
  /** `unknown`: addresses whose routes are gone, beside others that are not */
  | { ok: true; ids: number[]; duplicates: number; unknown: string[] }
  | { ok: false; reason: 'recipients_unknown' | 'message_invalid' | 'message_too_large' };

const MAX_HEADER_CHARACTERS = 10_000;
/** Of a field, so much is decoded: half a megabyte of encoded words would take a tenth of a second of everybody's time. */
const MAX_FIELD_BYTES = 4 * MAX_HEADER_CHARACTERS;
/** RFC 5322 3.6.4: a reply names few; a list of thousands is not looked up. */
const MAX_REFERENCES = 50;

interface Arrival {
  message: NewInboundMessage;
  content: Buffer;
  addresses: string[];
  header: Pick<TakenMessage, 'fromHeader' | 'subject' | 'messageId'>;
  /** Message-IDs */
  repliedTo: string[];
}

/** @returns what takes one message over, and resolves after its commit */
export function createReceiver(
  store: Store,
  settings: Settings,
): (message: NewInboundMessage) => Promise<ReceiveResult> {
  const group = createCommitGroup(store, (tx, arrivals: readonly Arrival[]) =>
    receiveAll(tx, arrivals, settings),
  );
  return async (message) => {
    const content = Buffer.from(message.message, 'base64');
    if (content.length > settings.limits.maxMessageBytes) return { ok: false, reason: 'message_too_large' };
    const addresses = [...new Set(message.envelope.to.map(({ address }) => normalizeAddress(address)))];
    if (!addresses.every((address) => address !== undefined)) return { ok: false, reason: 'message_invalid' };
    return group.add({ message, content, addresses, ...(await readHeader(content)) });
  };
}

async function readHeader(content: Buffer): Promise<Pick<Arrival, 'header' | 'repliedTo'>> {
  const { fields } = splitMessage(content);
  const read = async (name: string) => {
    const field = fields.find((one) => one.name === name);
    if (!field) return undefined;
    const { raw, value } = field;
    const start = { ...field, raw: raw.subarray(0, MAX_FIELD_BYTES), value: value.slice(0, MAX_FIELD_BYTES) };
    return (await decodeField(start)).slice(0, MAX_HEADER_CHARACTERS);
  };
  return {
    header: {
      fromHeader: (await read('from')) ?? '',
      subject: (await read('subject')) ?? null,
      messageId: (await read('message-id')) ?? null,
    },
    repliedTo: readReferences((await read('in-reply-to')) ?? '', (await read('references')) ?? ''),
  };
}

async function receiveAll(
  tx: Transaction,
  arrivals: readonly Arrival[],
  settings: Settings,
): Promise<ReceiveResult[]> {
  const found = await findTargets(tx, arrivals, settings);
  const taken = found.flatMap(({ arrival: { message, content, header }, targets }) =>
    targets.length > 0 ? [{ ...message, ...header, content, targets }] : [],
  );
  const inserted = await insertInboundMessages(tx, taken);
  const results: ReceiveResult[] = [];
  for (const { arrival, targets, unknown } of found) {
    const rows = inserted.get(arrival.content);
    if (!rows) {
      results.push({ ok: false, reason: 'recipients_unknown' });
      continue;
    }
    await forwardRows(tx, rows, { arrival, targets }, settings);
    await noteReplies(tx, rows, { ...arrival.header, envelopeFrom: arrival.message.envelope.from });
    const ids = rows.map(({ id }) => id);
    results.push({ ok: true, ids, duplicates: targets.length - ids.length, unknown });
  }
  return results;
}

async function forwardRows(
  tx: Transaction,
  rows: readonly InsertedMessage[],
  { arrival, targets }: { arrival: Arrival; targets: readonly InboundTarget[] },
  { hostname, inbound: { confirmsForwards } }: Settings,
): Promise<void> {
  for (const { id, recipient } of rows) {
    const target = targets.find(({ address }) => address === recipient);
    if (!target || !('route' in target) || target.route.target !== 'forward') continue;
    const { message, header, content } = arrival;
    const taken = { ...message, ...header, content };
    await forwardMessage(tx, { id, recipient, route: target.route }, taken, { hostname, confirmsForwards });
  }
}

/** The routes of each host are asked for once. */
async function findTargets(tx: Transaction, arrivals: readonly Arrival[], settings: Settings) {
  const known = new Map<string, ReturnType<typeof listRoutesOfHost>>();
  const listRoutes = (hostname: string) => {
    const routes = known.get(hostname) ?? listRoutesOfHost(tx, hostname);
    known.set(hostname, routes);
    return routes;
  };
  const all: { arrival: Arrival; targets: InboundTarget[]; unknown: string[] }[] = [];
  for (const arrival of arrivals) {
    const targets: InboundTarget[] = [];
    const unknown: string[] = [];
    for (const address of arrival.addresses) {
      const found = await findRecipient(tx, address.toLowerCase(), settings, listRoutes);
      if (found?.kind === 'route') {
        const replyToId = await findRepliedMessage(tx, found.route.domainId, arrival.repliedTo);
        targets.push({ address, route: found.route, replyToId });
      } else if (found?.purpose === 'postmaster' || found?.purpose === 'abuse') {
        targets.push({ address, purpose: found.purpose });
      } else unknown.push(address);
    }
    all.push({ arrival, targets, unknown });
  }
  return all;
}

/** The Message-IDs that a message answers, the direct one first. */
export function readReferences(inReplyTo: string, references: string): string[] {
  const idsIn = (text: string) => text.match(/<[^<>\s]{1,998}>/g) ?? [];
  return [...new Set([...idsIn(inReplyTo), ...idsIn(references).toReversed()])].slice(0, MAX_REFERENCES);
}
