/** A sandbox on free ports, a domain whose DKIM record it finds, and mail for it. */
import { generateKeyPairSync } from 'node:crypto';
import { dkimSign } from 'mailauth';
import { createTransport, type SendMailOptions } from 'nodemailer';
import type { Certificate } from '../../lib/certificate.ts';
import { createLogger } from '../../lib/log.ts';
import { makeAuthority } from '../../lib/sandbox-authority.ts';
import { type Sandbox, startSandbox } from '../../sandbox/sandbox.ts';
import type { FindDkimRecord } from '../../sandbox/zone.ts';

export const HOST = '127.0.0.1';
export const SENDER_DOMAIN = 'sender.test';
export const SELECTOR = 's1';

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const record = `v=DKIM1; k=rsa; p=${publicKey.export({ type: 'spki', format: 'der' }).toString('base64')}`;

/** `s1` of sender.test, `long` with a record of 3,000 characters, `down` for an api out of reach. */
export const findDkimRecord: FindDkimRecord = async (domain, selector) => {
  if (selector === 'down') return { ok: false, reason: 'unavailable' };
  if (domain !== SENDER_DOMAIN) return { ok: false, reason: 'not_found' };
  if (selector === SELECTOR) return { ok: true, value: { value: record } };
  if (selector === 'long') return { ok: true, value: { value: `v=DKIM1; p=${'A'.repeat(3000)}` } };
  return { ok: false, reason: 'not_found' };
};

export interface TestSandbox extends Sandbox {
  /** What slow recipients waited, instead of waiting. */
  waits: number[];
  authority: Certificate;
  url(path: string): string;
}

export async function startTestSandbox(): Promise<TestSandbox> {
  const waits: number[] = [];
  const authority = await makeAuthority();
  const sandbox = await startSandbox({
    host: HOST,
    dnsPort: 0,
    smtpPort: 0,
    httpPort: 0,
    httpsPort: 0,
    authority,
    hostname: 'postern.test',
    findDkimRecord,
    log: createLogger('test', { level: 'silent' }),
    sleep: async (milliseconds) => waits.push(milliseconds),
  });
  return { ...sandbox, waits, authority, url: (path) => `http://${HOST}:${sandbox.httpPort}${path}` };
}

export interface Sent {
  raw: string;
  from?: string;
  to: string | string[];
}

/** Sends as it is. @param options host of the MX, TLS */
export async function deliver(
  sandbox: Sandbox,
  { raw, from = `bounces@${SENDER_DOMAIN}`, to }: Sent,
  options: { host?: string; ignoreTLS?: boolean; opportunisticTLS?: boolean } = {},
): Promise<string> {
  const transport = createTransport({
    host: HOST,
    port: sandbox.smtpPort,
    name: 'postern.test',
    tls: { rejectUnauthorized: false },
    ...options,
  });
  const mail: SendMailOptions = { envelope: { from, to }, raw };
  try {
    return (await transport.sendMail(mail)).response;
  } finally {
    transport.close();
  }
}

export function compose({ subject = 'Hello', body = 'Text\r\n', to = 'anybody@example.test' } = {}): string {
  return [
    `From: Sender <sender@${SENDER_DOMAIN}>`,
    `To: ${to}`,
    `Subject: ${subject}`,
    'Date: Fri, 01 Aug 2025 10:00:00 +0000',
    `Message-ID: <1@${SENDER_DOMAIN}>`,
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    '',
    body,
  ].join('\r\n');
}

export async function sign(message: string, selector = SELECTOR): Promise<string> {
  const signature = {
    canonicalization: 'relaxed/relaxed',
    signingDomain: SENDER_DOMAIN,
    selector,
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
  // Its types want at the top what the function reads from signatureData only.
  const { signatures } = await dkimSign(message, { ...signature, signatureData: [signature] });
  return `${signatures}${message}`;
}
