/** Sending and watching mail through the running stack, as a customer and a recipient see it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createTransport } from 'nodemailer';
import type { Stack } from './stack.ts';

const POLL_MS = 100;
const DEADLINE_MS = 90_000;

export interface TimelineEntry {
  event: string;
  recipient: string | null;
  occurred_at: string;
  data: Record<string, unknown>;
}

export interface MessageView {
  id: number;
  status: string;
  recipients: {
    address: string;
    status: string;
    attempts: number;
    response: string | null;
    code: number | null;
  }[];
  timeline: TimelineEntry[];
}

export interface Received {
  id: string;
  envelope: { from: string; to: string[] };
  subject: string | null;
  authentication: { spf: string; dkim: string; dmarc: string };
  tls: { version: string } | null;
  size: number;
}

/** A recipient that no other test uses. */
export function newRecipient(localPart = 'deliver', domain = 'example.test'): string {
  return `${localPart}+${Math.random().toString(36).slice(2, 12)}@${domain}`;
}

export async function postSend(stack: Stack, fields: Record<string, unknown>, token = stack.token) {
  const response = await fetch(`${stack.api}/api/v1/send`, {
    method: 'POST',
    headers: {
      accept: 'application/json',
      'content-type': 'application/json',
      'mailpace-server-token': token,
    },
    body: JSON.stringify(fields),
  });
  return {
    status: response.status,
    body: (await response.json()) as { id?: number; status?: string; error?: string },
  };
}

/** @returns the id of the accepted message */
export async function send(
  stack: Stack,
  fields: Record<string, unknown>,
  token = stack.token,
): Promise<number> {
  const { status, body } = await postSend(
    stack,
    { from: `sender@${stack.domain}`, subject: 'Test', textbody: 'Hello', ...fields },
    token,
  );
  if (status !== 200 || body.id === undefined) throw new Error(`${status} ${JSON.stringify(body)}`);
  return body.id;
}

export async function readMessage(stack: Stack, id: number, token = stack.token): Promise<MessageView> {
  const response = await fetch(`${stack.api}/api/v1/messages/${id}`, {
    headers: { accept: 'application/json', 'mailpace-server-token': token },
  });
  if (response.status !== 200) throw new Error(`message ${id}: ${response.status} ${await response.text()}`);
  return (await response.json()) as MessageView;
}

/** What happened to the message, but for the check for spam, which there is only where rspamd is installed. */
export function eventsOf({ timeline }: Pick<MessageView, 'timeline'>): TimelineEntry[] {
  return timeline.filter(({ event }) => event !== 'checked');
}

export async function waitForStatus(stack: Stack, id: number, status: string, token = stack.token) {
  return waitFor(`message ${id} is ${status}`, async () => {
    const message = await readMessage(stack, id, token);
    return message.status === status ? message : undefined;
  });
}

export async function listReceived(stack: Stack, recipient: string): Promise<Received[]> {
  const response = await fetch(`${stack.sandbox.http}/messages?recipient=${encodeURIComponent(recipient)}`);
  return (await response.json()) as Received[];
}

export async function waitForReceived(stack: Stack, recipient: string): Promise<Received> {
  return waitFor(`mail for ${recipient}`, async () => (await listReceived(stack, recipient))[0]);
}

export async function readRaw(stack: Stack, received: Received): Promise<string> {
  const response = await fetch(`${stack.sandbox.http}/messages/${received.id}/raw`);
  return Buffer.from(await response.arrayBuffer()).toString('latin1');
}

/** The part behind the first empty line. */
export function bodyOf(raw: string): string {
  return raw.slice(raw.indexOf('\r\n\r\n') + 4);
}

export type SmtpPort = 'starttls' | 'tls' | 'alternative';

/** A nodemailer transport to one of the gateway's listeners. */
export function openSmtp(stack: Stack, port: SmtpPort = 'starttls', pass = stack.token) {
  return createTransport({
    host: stack.smtp.host,
    port: stack.smtp[port],
    secure: port === 'tls',
    requireTLS: port !== 'tls',
    tls: { rejectUnauthorized: false },
    auth: { user: pass, pass },
  });
}

/** The message id in the gateway's reply. */
export function readQueuedId(reply: string): number {
  const id = /queued as (\d+)/.exec(reply)?.[1];
  if (!id) throw new Error(`no message id in "${reply}"`);
  return Number(id);
}

/** Asks until there is an answer. Errors of a stack that is just being restarted count as "not yet". */
export async function waitFor<T>(
  what: string,
  ask: () => Promise<T | undefined>,
  deadlineMs = DEADLINE_MS,
): Promise<T> {
  const deadline = Date.now() + deadlineMs;
  let lastError: unknown;
  while (Date.now() < deadline) {
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    await sleep(POLL_MS);
  }
  throw new Error(`waited ${deadlineMs} ms in vain: ${what}`, { cause: lastError });
}
