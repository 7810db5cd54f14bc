/** What becomes of recipients and messages at the MX: the behaviours of behaviours.ts, then the mailbox. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleepFor } from 'node:timers/promises';
import { simpleParser } from 'mailparser';
import type { SMTPServerDataStream, SMTPServerEnvelope } from 'smtp-server';
import type { Logger } from '../lib/log.ts';
import { normalizeAddress } from '../lib/mail/address.ts';
import type { Reply } from '../lib/mail/reply.ts';
import type { Arrival, Verdict } from './authentication.ts';
import { findBehaviour, type RecipientAttempts, tooLarge } from './behaviours.ts';
import type { Mailbox, StoredMessage } from './mailbox.ts';

export interface ReceptionOptions {
  mailbox: Mailbox;
  attempts: RecipientAttempts;
  verify: (arrival: Arrival) => Promise<Verdict>;
  log: Logger;
  /** How slow recipients wait. */
  sleep?: (milliseconds: number) => Promise<unknown>;
}

export type Peer = Pick<StoredMessage, 'client' | 'tls'>;

export type Receipt = { id: string } | { refusal: Reply } | 'dropped';

export interface Reception {
  /** @returns the refusal of RCPT TO, if it is one */
  answerRecipient(address: string, client?: string): Promise<Reply | undefined>;
  /** Reads the message to its end. A message with an id is in the mailbox. */
  receive(stream: SMTPServerDataStream, envelope: SMTPServerEnvelope, peer: Peer): Promise<Receipt>;
}

export function createReception(options: ReceptionOptions): Reception {
  return {
    answerRecipient: (address, client) => answerRecipient(options, address, client),
    receive: (stream, envelope, peer) => receive(options, stream, envelope, peer),
  };
}

async function answerRecipient(
  { attempts, sleep = sleepFor, log }: ReceptionOptions,
  address: string,
  client: string | undefined,
): Promise<Reply | undefined> {
  const behaviour = findBehaviour(address);
  if (behaviour.delayMs) await sleep(behaviour.delayMs);
  const refusal = attempts.refusal(address, behaviour, client);
  if (refusal) log.info({ recipient: address, code: refusal.code }, 'recipient.refused');
  return refusal;
}

async function receive(
  { mailbox, verify, sleep = sleepFor, log }: ReceptionOptions,
  stream: SMTPServerDataStream,
  envelope: SMTPServerEnvelope,
  peer: Peer,
): Promise<Receipt> {
  const raw = await readAll(stream);
  if (stream.sizeExceeded) return { refusal: tooLarge };
  const from = envelope.mailFrom ? envelope.mailFrom.address : '';
  const to = envelope.rcptTo.map(({ address }) => address);

  const behaviours = to.map(findBehaviour);
  const delayMs = Math.max(0, ...behaviours.map((behaviour) => behaviour.delayMs ?? 0));
  if (delayMs > 0) await sleep(delayMs);
  const outcome = behaviours.find((behaviour) => behaviour.dataReply)?.dataReply;
  if (outcome) log.info({ from, to, outcome }, 'message.refused');
  if (outcome === 'close') return 'dropped';
  if (outcome) return { refusal: outcome };

  const verdict = await verify({ client: peer.client, sender: from, raw });
  const message: StoredMessage = {
    id: randomUUID(),
    receivedAt: new Date().toISOString(),
    envelope: { from: toWireForm(from), to: to.map(toWireForm) },
    subject: await readSubject(raw),
    ...verdict,
    ...peer,
    size: raw.length,
    raw,
  };
  mailbox.add(message);
  log.info({ id: message.id, ...message.envelope, ...message.authentication }, 'message.received');
  return { id: message.id };
}

/** What is over the limit is read and forgotten. */
async function readAll(stream: SMTPServerDataStream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) {
    if (stream.sizeExceeded) chunks.length = 0;
    else chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** smtp-server turns A-labels into U-labels; what was on the wire is what a test wants to see. */
function toWireForm(address: string): string {
  return normalizeAddress(address) ?? address;
}

async function readSubject(raw: Buffer): Promise<string | null> {
  const end = raw.indexOf('\r\n\r\n');
  const header = end === -1 ? raw : raw.subarray(0, end + 4);
  const { subject } = await simpleParser(header);
  return subject ?? null;
}
