/**
 * How a webhook is signed: in three ways at once, over the very bytes that are sent (HK-13).
 *
 * - `X-MailPace-Signature`: Ed25519 of the domain over the body (the contract).
 * - `webhook-signature`, `v1a,…`: Ed25519 of the domain over `id.timestamp.body` (Standard Webhooks), by two keys while
 *   one replaces the other.
 * - `webhook-signature`, `v1,…`: HMAC-SHA256 by the endpoint's secret, over the same; every library knows this one.
 */
import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from 'node:crypto';

const SECRET_PREFIX = 'whsec_';

export interface SigningKeys {
  /** Of the domain, the oldest first: receivers have known it longest, so it alone makes the contract's signature. */
  privateKeys: readonly [KeyObject, ...KeyObject[]];
  /** Of the endpoint */
  secrets: readonly Buffer[];
}

export interface Signed {
  /** A UUID: no dot in it, so that `id.timestamp.body` can be read in one way only (HK-15). */
  id: string;
  /** Seconds since the epoch */
  timestamp: number;
  body: Buffer;
}

export function signWebhook({ id, timestamp, body }: Signed, keys: SigningKeys): Record<string, string> {
  const content = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]);
  const signatures = [
    ...keys.privateKeys.map((key) => `v1a,${sign(null, content, key).toString('base64')}`),
    ...keys.secrets.map((secret) => `v1,${createHmac('sha256', secret).update(content).digest('base64')}`),
  ];
  return {
    'X-MailPace-Signature': sign(null, body, keys.privateKeys[0]).toString('base64'),
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signatures.join(' '),
  };
}

export interface WebhookKeyPair {
  /** PKCS#8 DER */
  privateKey: Buffer;
  /** The raw 32 bytes in base64, as the contract shows it */
  publicKey: string;
}

/** Takes about 0.1 ms. */
export function generateWebhookKeyPair(): WebhookKeyPair {
  const { privateKey } = generateKeyPairSync('ed25519');
  return {
    privateKey: privateKey.export({ type: 'pkcs8', format: 'der' }),
    publicKey: publicKeyOf(privateKey),
  };
}

export function readPrivateKey(der: Buffer): KeyObject {
  return createPrivateKey({ key: der, type: 'pkcs8', format: 'der' });
}

/** As customers paste it into a library of Standard Webhooks. */
export function formatSecret(secret: Buffer): string {
  return SECRET_PREFIX + secret.toString('base64');
}

function publicKeyOf(privateKey: KeyObject): string {
  const { x = '' } = createPublicKey(privateKey).export({ format: 'jwk' });
  return Buffer.from(x, 'base64url').toString('base64');
}
