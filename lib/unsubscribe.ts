/**
 * Links for one-click unsubscription (RFC 8058): `<base>/unsubscribe/<token>`. The token says by itself who
 * unsubscribes from what, so that a link in an old mail works when the message is long purged, and is signed: one that
 * was made up or altered says nothing. It names the recipient, who stands in the To of the same mail.
 */
import { createHmac } from 'node:crypto';
import Type, { type Static } from 'typebox';
import Value from 'typebox/value';
import type { Settings } from '../config/schema.ts';
import { currentKey, deriveKey, isSameSecret, keysIn } from './secrets.ts';

export const UNSUBSCRIBE_PATH = '/unsubscribe';

const MAC_BYTES = 16;
/** Addresses and names have an upper bound (RFC 5321 4.5.3.1). */
const MAX_TOKEN_CHARACTERS = 1_200;

const claimSchema = Type.Tuple([Type.Integer(), Type.Integer(), Type.String(), Type.String(), Type.String()]);
type Claim = Static<typeof claimSchema>;

export interface Unsubscription {
  messageId: number;
  organizationId: number;
  /** Of the sender, as the mail was signed */
  domain: string;
  stream: string;
  recipient: string;
}

/** Where the links lead, without a slash at the end; undefined: none are made. */
export function unsubscribeBase({
  environment,
  api,
}: Pick<Settings, 'environment' | 'api'>): string | undefined {
  const url = api.publicUrl || (environment === 'production' ? undefined : api.url);
  return url?.replace(/\/+$/, '');
}

export function unsubscribeKey(masterKey: string): Buffer {
  return deriveKey(masterKey, 'unsubscribe');
}

/** @param key from unsubscribeKey */
export function createUnsubscribeToken(
  { messageId, organizationId, domain, stream, recipient }: Unsubscription,
  key: Buffer,
): string {
  const claim: Claim = [messageId, organizationId, domain, stream, recipient];
  const payload = Buffer.from(JSON.stringify(claim)).toString('base64url');
  return `${payload}.${sign(payload, currentKey(key))}`;
}

/** What the token was made from, or undefined when it is none of ours. */
export function readUnsubscribeToken(token: string, key: Buffer): Unsubscription | undefined {
  if (token.length > MAX_TOKEN_CHARACTERS) return undefined;
  const dot = token.lastIndexOf('.');
  const payload = token.slice(0, dot);
  const mac = token.slice(dot + 1);
  if (dot < 0 || !keysIn(key).some((one) => isSameSecret(mac, sign(payload, one)))) return undefined;
  const claim: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString());
  if (!Value.Check(claimSchema, claim)) return undefined;
  const [messageId, organizationId, domain, stream, recipient] = claim;
  return { messageId, organizationId, domain, stream, recipient };
}

function sign(payload: string, key: Buffer): string {
  return createHmac('sha256', key).update(payload).digest().subarray(0, MAC_BYTES).toString('base64url');
}
