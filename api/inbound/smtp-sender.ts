/**
 * Gives one message to an SMTP server that a customer has named. As with webhooks, the address is judged when the
 * connection is made, and the connection goes to one that was judged. Whatever the server does, the answer is here within
 * SESSION_MS.
 *
 * A message and a recipient have one session: what the server says is about them.
 */
import { isIP } from 'node:net';
import SmtpConnection from 'nodemailer/lib/smtp-connection';
import type { AddressPolicy } from '../webhooks/address-policy.ts';
import { isTlsFault, type PostFailure } from '../webhooks/post.ts';
import type { Resolve } from '../webhooks/resolve.ts';
import type { ServerUrl } from './server-url.ts';

/** The claim is good for longer (models/webhook-claim.ts). */
const SESSION_MS = 300_000;
const CONNECT_MS = 30_000;
/** RFC 5321 4.5.3.2 would wait five to ten minutes; the session ends before. */
const SILENCE_MS = 120_000;
const MAX_REPLY = 512;

export type SmtpResult =
  | { ok: true; reply: string }
  /** The server's word; `isFinal`: about this message or recipient, and for good */
  | { ok: false; reason: 'refused'; code: number; reply: string; isFinal: boolean }
  | { ok: false; reason: PostFailure; detail: string };

export interface SmtpDelivery {
  server: ServerUrl;
  /** TLS with a certificate that holds; else what the server offers */
  requiresTls: boolean;
  credentials: { user: string; pass: string } | undefined;
  envelope: { from: string; to: string };
  content: Buffer;
}

export type SendSmtp = (delivery: SmtpDelivery) => Promise<SmtpResult>;

export function createSmtpSender({
  addresses,
  resolve,
  name,
}: {
  addresses: AddressPolicy;
  resolve: Resolve;
  /** In EHLO */
  name: string;
}): SendSmtp {
  async function findAddress(host: string): Promise<string | SmtpResult> {
    if (isIP(host)) return addresses.allows(host) ? host : fail('private_address', host);
    const found = await resolve(host);
    return found.ok ? (found.addresses[0]?.address ?? host) : fail(found.reason, host);
  }

  return async (delivery) => {
    const { host, port, isImplicitTls } = delivery.server;
    const address = await findAddress(host);
    if (typeof address !== 'string') return address;
    const connection = new SmtpConnection({
      ...{ host: address, port, name, secure: isImplicitTls, requireTLS: delivery.requiresTls },
      ...{ connectionTimeout: CONNECT_MS, greetingTimeout: CONNECT_MS, socketTimeout: SILENCE_MS },
      tls: { rejectUnauthorized: delivery.requiresTls, ...(!isIP(host) && { servername: host }) },
    });
    try {
      const reply = await converse(connection, delivery);
      connection.quit();
      return { ok: true, reply: reply.slice(0, MAX_REPLY) };
    } catch (error) {
      connection.close();
      return describeError(error as SmtpError);
    }
  };
}

interface SmtpError extends Error {
  code?: string | undefined;
  /** Of the socket or of TLS */
  originalCode?: string | undefined;
  command?: string | undefined;
  response?: string | undefined;
  responseCode?: number | undefined;
}

async function converse(
  connection: SmtpConnection,
  { credentials, envelope, content }: SmtpDelivery,
): Promise<string> {
  const broken = new Promise<never>((_, reject) => connection.on('error', reject));
  broken.catch(() => {}); // also when nobody waits any more
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(Object.assign(new Error('the session took too long'), { code: 'ETIMEDOUT' })),
    SESSION_MS,
  );
  const step = <T>(start: (done: (error?: Error | null, value?: unknown) => void) => void) =>
    Promise.race([
      broken,
      late.promise,
      new Promise<T>((resolve, reject) =>
        start((error, value) => (error ? reject(error) : resolve(value as T))),
      ),
    ]);
  try {
    await step<void>((done) => connection.connect(done));
    if (credentials) await step<void>((done) => connection.login({ credentials }, done));
    const mail = { ...envelope, size: content.length, use8BitMime: true };
    const { response } = await step<{ response: string }>((done) => connection.send(mail, content, done));
    return response;
  } finally {
    clearTimeout(timer);
  }
}

/** A 5xx at the greeting, at AUTH or of a command that we should not need is about the two servers, and may pass. */
function describeError({
  code,
  originalCode = '',
  command = '',
  response,
  responseCode,
  message,
}: SmtpError): SmtpResult {
  if (responseCode !== undefined) {
    const isFinal = responseCode >= 500 && /^(MAIL FROM|RCPT TO|DATA)$/.test(command);
    const reply = (response ?? message).replace(/^\d{3}[ -]/, '').slice(0, MAX_REPLY);
    return { ok: false, reason: 'refused', code: responseCode, reply, isFinal };
  }
  // The server has said so with SIZE (RFC 1870) before it was asked.
  if (code === 'EMESSAGE') return { ok: false, reason: 'refused', code: 552, reply: message, isFinal: true };
  if (code === 'ETIMEDOUT') return fail('timeout', message);
  if (code === 'ETLS' || isTlsFault(originalCode)) return fail('tls_failed', originalCode || message);
  return fail(code === 'EPROTOCOL' ? 'bad_response' : 'connection_failed', originalCode || message);
}

function fail(reason: PostFailure, detail: string): SmtpResult {
  return { ok: false, reason, detail: detail.slice(0, MAX_REPLY) };
}
