/**
 * Envelope senders that lead a bounce back to its recipient (VERP): `bounces+<token>@<return path domain>`.
 *
 * The token is base32 (local parts lose their case on the way) of message id, a digest of the recipient and a MAC.
 * It is checked without a look-up; a token that was made up or altered says nothing (AD-11).
 */
import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import { currentKey, keysIn } from './secrets.ts';

const PREFIX = 'bounces+';
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'; // RFC 4648 section 6, lower case
const ID_BYTES = 6; // 2^48 messages
const RECIPIENT_BYTES = 5;
const MAC_BYTES = 8;
const TOKEN_BYTES = ID_BYTES + RECIPIENT_BYTES + MAC_BYTES;
const TOKEN_CHARACTERS = Math.ceil((TOKEN_BYTES * 8) / 5);

export interface ReturnPath {
  messageId: number;
  /** First bytes of the SHA-256 of the recipient's address, hex: tells a message's recipients apart. Null: it has one only. */
  recipientDigest: string | null;
}

/** @param key from deriveKey(masterKey, 'return-path') */
export function createReturnPath(
  { messageId, recipient, domain }: { messageId: number; recipient: string; domain: string },
  key: Buffer,
): string {
  const payload = Buffer.alloc(ID_BYTES + RECIPIENT_BYTES);
  payload.writeUIntBE(messageId, 0, ID_BYTES);
  digestBytes(recipient).copy(payload, ID_BYTES);
  return `${PREFIX}${encodeBase32(Buffer.concat([payload, sign(payload, currentKey(key))]))}@${domain}`;
}

/** What the address was made from, or undefined when it is none of ours. */
export function readReturnPath(address: string, key: Buffer): ReturnPath | undefined {
  const text = tokenOf(address);
  return text === undefined ? undefined : readReturnPathToken(text, key);
}

/** The token of a return path, whoever made it; undefined: the address is no return path. */
export function tokenOf(address: string): string | undefined {
  const localPart = address.slice(0, address.lastIndexOf('@')).toLowerCase();
  return localPart.startsWith(PREFIX) ? localPart.slice(PREFIX.length) : undefined;
}

/** As readReturnPath, for a token that stands alone (plugins/feedback-id). */
export function readReturnPathToken(text: string, key: Buffer): ReturnPath | undefined {
  const token = decodeBase32(text.toLowerCase());
  if (!token) return undefined;
  const payload = token.subarray(0, ID_BYTES + RECIPIENT_BYTES);
  const mac = token.subarray(ID_BYTES + RECIPIENT_BYTES);
  if (!keysIn(key).some((one) => timingSafeEqual(mac, sign(payload, one)))) return undefined;
  return {
    messageId: payload.readUIntBE(0, ID_BYTES),
    recipientDigest: payload.subarray(ID_BYTES).toString('hex'),
  };
}

/** The digest of a recipient as it stands in ReturnPath. */
export function digestRecipient(recipient: string): string {
  return digestBytes(recipient).toString('hex');
}

function digestBytes(recipient: string): Buffer {
  return hash('sha256', recipient, 'buffer').subarray(0, RECIPIENT_BYTES);
}

function sign(payload: Buffer, key: Buffer): Buffer {
  return createHmac('sha256', key).update(payload).digest().subarray(0, MAC_BYTES);
}

function encodeBase32(bytes: Buffer): string {
  let bits = 0n;
  for (const byte of bytes) bits = (bits << 8n) | BigInt(byte);
  bits <<= BigInt(TOKEN_CHARACTERS * 5 - bytes.length * 8);
  let text = '';
  for (let i = TOKEN_CHARACTERS - 1; i >= 0; i--) text += ALPHABET[Number((bits >> BigInt(i * 5)) & 31n)];
  return text;
}

function decodeBase32(text: string): Buffer | undefined {
  if (text.length !== TOKEN_CHARACTERS) return undefined;
  let bits = 0n;
  for (const character of text) {
    const value = ALPHABET.indexOf(character);
    if (value < 0) return undefined;
    bits = (bits << 5n) | BigInt(value);
  }
  const hex = (bits >> BigInt(TOKEN_CHARACTERS * 5 - TOKEN_BYTES * 8)).toString(16);
  return Buffer.from(hex.padStart(TOKEN_BYTES * 2, '0'), 'hex');
}
