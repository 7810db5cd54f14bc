/**
 * Keys and sealing. All keys come from the one master key (`secrets.key`) by HKDF-SHA256 (RFC 5869), one a purpose,
 * so that a leak of one says nothing about another.
 *
 * While the master key is replaced there are two of them: the first seals and signs, both open and verify. What is derived
 * from two keys is two keys, one after the other, so that nobody who passes a key on has to know.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  hash,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';

const IV_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;

export type Purpose =
  | 'rpc-cache'
  | 'database'
  | 'return-path'
  | 'forward'
  | 'cursor'
  | 'unsubscribe'
  | 'backup';

/** The master keys in the setting: one, or two with a comma between. */
export function masterKeysIn(masterKey: string): string[] {
  return masterKey.split(',').map((key) => key.trim());
}

/** @param masterKey 32 bytes in base64, as in the settings; or two of them */
export function deriveKey(masterKey: string, purpose: Purpose): Buffer {
  return Buffer.concat(
    masterKeysIn(masterKey).map((key) =>
      Buffer.from(hkdfSync('sha256', Buffer.from(key, 'base64'), '', `postern ${purpose}`, KEY_BYTES)),
    ),
  );
}

/** The one to seal and sign with. */
export function currentKey(key: Buffer): Buffer {
  return key.subarray(0, KEY_BYTES);
}

/** All that may have sealed or signed, the current one first. */
export function keysIn(key: Buffer): Buffer[] {
  return Array.from({ length: Math.ceil(key.length / KEY_BYTES) }, (_, index) =>
    key.subarray(index * KEY_BYTES, (index + 1) * KEY_BYTES),
  );
}

/** AES-256-GCM. `context` is authenticated with it: a sealed value cannot be moved to another place. */
export function seal(key: Buffer, plain: string | Buffer, context: string): Buffer {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', currentKey(key), iv).setAAD(Buffer.from(context));
  const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), sealed]);
}

/** The plain bytes, or undefined where the value was not sealed by this key for this context. */
export function unseal(key: Buffer, sealed: Buffer, context: string): Buffer | undefined {
  if (sealed.length < IV_BYTES + TAG_BYTES) return undefined;
  for (const one of keysIn(key)) {
    const plain = unsealWith(one, sealed, context);
    if (plain) return plain;
  }
  return undefined;
}

function unsealWith(key: Buffer, sealed: Buffer, context: string): Buffer | undefined {
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

/** Compares in constant time whatever the lengths (AU-2). Every call of a service is checked by it. */
export function isSameSecret(given: string, expected: string): boolean {
  return timingSafeEqual(hash('sha256', given, 'buffer'), hash('sha256', expected, 'buffer'));
}
