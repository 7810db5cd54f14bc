/**
 * Where a list goes on: opaque to the client, signed, and good for the one who got it. What was changed on the way, or
 * comes from another tenant's list, is no cursor (AP-3).
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { currentKey, keysIn } from '../../lib/secrets.ts';

const POSITION_BYTES = 8;
const MAC_BYTES = 10;

/**
 * @param key from deriveKey(masterKey, 'cursor')
 * @param position whole number below 2^53
 * @param owner whose list it is
 */
export function writeCursor(key: Buffer, position: number, owner: string): string {
  const bytes = Buffer.alloc(POSITION_BYTES);
  bytes.writeBigUInt64BE(BigInt(position));
  return Buffer.concat([bytes, sign(currentKey(key), bytes, owner)]).toString('base64url');
}

/** Undefined: it is none of ours. */
export function readCursor(key: Buffer, text: string, owner: string): number | undefined {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.length !== POSITION_BYTES + MAC_BYTES || bytes.toString('base64url') !== text) return undefined;
  const position = bytes.subarray(0, POSITION_BYTES);
  const mac = bytes.subarray(POSITION_BYTES);
  if (!keysIn(key).some((one) => timingSafeEqual(mac, sign(one, position, owner)))) return undefined;
  return Number(position.readBigUInt64BE());
}

function sign(key: Buffer, position: Buffer, owner: string): Buffer {
  return createHmac('sha256', key).update(position).update(owner).digest().subarray(0, MAC_BYTES);
}
