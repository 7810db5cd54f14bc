/** Mail as it comes in from outside: signed with RSA-2048 by domains whose keys are in the DNS, each message of its own. */
import { createPublicKey } from 'node:crypto';
import { dkimSign } from 'mailauth';
import type { FindDkimRecord } from '../../sandbox/zone.ts';
import { createSigningKey } from './signature.ts';

const SELECTOR = 'bench';
const LINE = `${'x'.repeat(76)}\r\n`;
/** The senders have few texts of their own: what a message differs in is what is not signed, its way. */
const TEXTS_A_SENDER = 5;

export interface SignedMail {
  sender: string;
  /** As on the wire: no line of it begins with a dot. */
  message: Buffer;
}

export interface Senders {
  /** The message of that number; its sender domains take turns. */
  compose(number: number): SignedMail;
  findDkimRecord: FindDkimRecord;
}

/** @param bodyBytes rounded up to whole lines */
export async function createSenders(options: {
  domains: number;
  bodyBytes: number;
  recipient: string;
}): Promise<Senders> {
  const mails: SignedMail[] = [];
  const records = new Map<string, string>();
  for (let index = 1; index <= options.domains; index++) {
    const domain = `sender${index}.example`;
    const privateKey = createSigningKey();
    const key = createPublicKey(privateKey).export({ type: 'spki', format: 'der' }).toString('base64');
    records.set(domain, `v=DKIM1; k=rsa; p=${key}`);
    for (let text = 1; text <= TEXTS_A_SENDER; text++) {
      mails.push(await sign(`news${text}@${domain}`, privateKey, options));
    }
  }
  return {
    compose(number) {
      const mail = mails[number % mails.length];
      if (!mail) throw new Error('there are no senders');
      return { sender: mail.sender, message: Buffer.concat([formatTrace(number), mail.message]) };
    },
    async findDkimRecord(domain, selector) {
      const value = records.get(domain);
      return value && selector === SELECTOR
        ? { ok: true, value: { value } }
        : { ok: false, reason: 'not_found' };
    },
  };
}

async function sign(
  sender: string,
  privateKey: string,
  { recipient, bodyBytes }: { recipient: string; bodyBytes: number },
): Promise<SignedMail> {
  const domain = sender.slice(sender.indexOf('@') + 1);
  const header = [
    `From: News <${sender}>`,
    `To: <${recipient}>`,
    `Date: ${new Date().toUTCString().replace('GMT', '+0000')}`,
    `Message-ID: <bench@${domain}>`,
    'Subject: News of the day',
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    '\r\n',
  ].join('\r\n');
  const message = header + LINE.repeat(Math.ceil(bodyBytes / LINE.length));
  const identity = { signingDomain: domain, selector: SELECTOR, privateKey };
  const { signatures, errors } = await dkimSign(message, {
    canonicalization: 'relaxed/relaxed',
    algorithm: 'rsa-sha256',
    ...identity,
    signatureData: [identity],
  });
  if (errors?.length) throw new Error(`not signed: ${JSON.stringify(errors)}`);
  return { sender, message: Buffer.from(`${signatures.trim()}\r\n${message}`) };
}

function formatTrace(number: number): Buffer {
  return Buffer.from(`Received: from app (app [192.0.2.1]) by mail (bench) with ESMTPS id ${number}\r\n`);
}
