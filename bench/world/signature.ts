/** Keys to sign with, and whether a message is signed with them. */
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { authenticate } from 'mailauth';
import { HOSTNAME, SENDER } from './names.ts';

/** RSA-2048, as PEM. */
export function createSigningKey(): string {
  return generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  }).privateKey;
}

/** @returns `pass`, or what a receiver would say instead (RFC 8601 2.7.1) */
export async function verifySignature(raw: Buffer, privateKey: string): Promise<string> {
  const key = createPublicKey(privateKey).export({ type: 'spki', format: 'der' }).toString('base64');
  const { dkim } = await authenticate(raw, {
    ip: '127.0.0.1',
    helo: HOSTNAME,
    sender: SENDER,
    mta: HOSTNAME,
    resolver: async (name) => (name.includes('._domainkey.') ? [[`v=DKIM1; k=rsa; p=${key}`]] : []),
    disableArc: true,
    disableDmarc: true,
    disableBimi: true,
  });
  return dkim.results[0]?.status.result ?? 'none';
}
