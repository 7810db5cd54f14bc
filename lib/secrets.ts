/**
 * Keys and sealing. All keys come from the one master key (`secrets.key`) by HKDF-SHA256 (RFC 5869), one a purpose,
 * so that a leak of one says nothing about another.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';

const IV_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;

export type Purpose = 'rpc-cache' | 'database' | 'return-path' | 'cursor';

/** @param masterKey 32 bytes in base64, as in the settings */
export function deriveKey(masterKey: string, purpose: Purpose): Buffer {
  return Buffer.from(
    hkdfSync('sha256', Buffer.from(masterKey, 'base64'), '', `postern ${purpose}`, KEY_BYTES),
  );
}

/** AES-256-GCM. `context` is authenticated with it: a sealed value cannot be moved to another place. */
export function seal(key: Buffer, plain: string | Buffer, context: string): Buffer {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(context));
  const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), sealed]);
}

/** The plain bytes, or undefined where the value was not sealed by this key for this context. */
export function unseal(key: Buffer, sealed: Buffer, context: string): Buffer | undefined {
  if (sealed.length < IV_BYTES + TAG_BYTES) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, IV_BYTES))
    .setAAD(Buffer.from(context))
    .setAuthTag(sealed.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]);
  } catch {
    return undefined; // the tag does not match: another key, another context, or changed bytes
  }
}

/** SHA-256 in hex: how API tokens are stored and looked up. */
export function digestToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** Compares in constant time whatever the lengths (AU-2). */
export function isSameSecret(given: string, expected: string): boolean {
  const key = randomBytes(KEY_BYTES);
  const mac = (value: string) => createHmac('sha256', key).update(value).digest();
  return timingSafeEqual(mac(given), mac(expected));
}
