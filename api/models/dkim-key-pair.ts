/** New DKIM key pairs: RSA for everybody, Ed25519 for the receivers that know it (RFC 8463). */
import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import type { DkimAlgorithm } from '../../lib/rpc/contracts/dkim-keys.ts';

/** RFC 8301 3.2 */
const RSA_BITS = 2048;
/** Of the 44 bytes of its SubjectPublicKeyInfo, an Ed25519 key is the last 32 (RFC 8410 4). */
const ED25519_KEY_BYTES = 32;

export interface KeyPair {
  algorithm: DkimAlgorithm;
  /** PKCS#8 PEM */
  privateKey: string;
  /** The value of the TXT record */
  record: string;
}

/** Of a new domain: one that signs from the start, and one that signs when its record was seen. */
export interface FirstKeyPairs {
  rsa: KeyPair;
  ed25519: KeyPair;
}

const generate = promisify(generateKeyPair);
const publicKeyEncoding = { type: 'spki', format: 'der' } as const;
const privateKeyEncoding = { type: 'pkcs8', format: 'pem' } as const;

/** As generateDkimKeyPair */
export async function generateFirstKeyPairs(): Promise<FirstKeyPairs> {
  const [rsa, ed25519] = await Promise.all([generateDkimKeyPair(), generateDkimKeyPair('ed25519-sha256')]);
  return { rsa, ed25519 };
}

/** RSA takes about 100 ms in a thread of its own: call it before the transaction. */
export async function generateDkimKeyPair(algorithm: DkimAlgorithm = 'rsa-sha256'): Promise<KeyPair> {
  if (algorithm === 'ed25519-sha256') {
    const { publicKey, privateKey } = await generate('ed25519', { publicKeyEncoding, privateKeyEncoding });
    const point = publicKey.subarray(-ED25519_KEY_BYTES).toString('base64');
    return { algorithm, privateKey, record: `v=DKIM1; k=ed25519; h=sha256; p=${point}` };
  }
  const { publicKey, privateKey } = await generate('rsa', {
    modulusLength: RSA_BITS,
    publicKeyEncoding,
    privateKeyEncoding,
  });
  return { algorithm, privateKey, record: `v=DKIM1; h=sha256; p=${publicKey.toString('base64')}` };
}
