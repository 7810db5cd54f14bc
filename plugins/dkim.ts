/**
 * dkim: signs each message just before it is sent, with the keys its domain has at that moment (RFC 6376).
 *
 * Keys come from the api by RPC, cached (lib/rpc): a rotated key is used within a second. A key that is out of reach
 * defers the delivery with 4.3.0; a message is never sent unsigned, and never signed with a key that was withdrawn.
 * RSA-2048, and Ed25519 beside it where the domain has such a key (RFC 8463); sha256, relaxed/relaxed. From, To and
 * Subject are oversigned, and the fields of one-click unsubscription where there are any: none can be added behind the
 * signature (8.15).
 *
 * A forwarded message is not signed: whoever wrote to a domain's address, even in its name, would get its signature.
 *
 * Trusts: the body hash that the mta computed when it took the message in.
 * Settings: api.url, secrets.serviceToken, redis.url.
 */
import { createPrivateKey, hash, type KeyObject, sign } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Delivery, Headers, Plugin } from '../lib/mta-types.ts';
import { guard, HookRefusal, pluginContext, pluginRpc } from '../lib/plugin.ts';
import { type DkimKey, findDkimKeys } from '../lib/rpc/contracts/dkim-keys.ts';

export const title = 'dkim';

export const replies = {
  keysOutOfReach: { code: 451, enhanced: '4.3.0', text: 'The DKIM keys of the domain cannot be reached' },
  noKeys: { code: 451, enhanced: '4.3.0', text: 'The domain has no DKIM key' },
  noBodyHash: { code: 451, enhanced: '4.3.0', text: 'The message has no body hash' },
} as const;

/** Signed once more than they occur, so that another one breaks the signature. */
const OVERSIGNED = ['from', 'to', 'subject'];
/** As these, where they occur: a list that adds its own to a mail without breaks nothing (RFC 8058 4). */
const OVERSIGNED_IF_PRESENT = ['list-unsubscribe', 'list-unsubscribe-post'];

/** RFC 6376 5.4.1, with the list and feedback fields of RFC 8058. */
const SIGNED = [
  ...OVERSIGNED,
  'date',
  'message-id',
  'cc',
  'reply-to',
  'sender',
  'in-reply-to',
  'references',
  'mime-version',
  'content-type',
  'content-transfer-encoding',
  'list-id',
  'list-unsubscribe',
  'list-unsubscribe-post',
  'feedback-id',
];

const FOLD_AT = 74;
const MAX_PARSED_KEYS = 1_000;

export async function init(plugin: Plugin): Promise<void> {
  const { log } = pluginContext();
  const rpc = pluginRpc();
  plugin.addHook(
    'sender:headers',
    guard('sender:headers', log, async (delivery) => {
      if (delivery.postern.isForward) return;
      const found = await rpc.call(findDkimKeys, { params: { name: delivery.postern.domain } });
      if (!found.ok)
        throw new HookRefusal(found.reason === 'not_found' ? replies.noKeys : replies.keysOutOfReach);
      if (found.value.keys.length === 0) throw new HookRefusal(replies.noKeys);
      signDelivery(delivery, found.value.domain, found.value.keys);
    }),
  );
}

/** Puts one signature a key on top of the message. */
export function signDelivery(
  delivery: Pick<Delivery, 'headers' | 'dkim'>,
  domain: string,
  keys: DkimKey[],
): void {
  const bodyHash = delivery.dkim?.bodyHash;
  if (!bodyHash) throw new HookRefusal(replies.noBodyHash);
  const timestamp = Math.floor(Date.now() / 1000);
  const selected = selectFields(delivery.headers);
  const fields = keys.map((key) => createSignature(selected, { domain, key, bodyHash, timestamp }));
  for (const field of fields) delivery.headers.addFormatted('dkim-signature', field, 0);
}

interface SignatureOptions {
  domain: string;
  key: DkimKey;
  /** base64 SHA-256 of the body, relaxed */
  bodyHash: string;
  /** seconds since the epoch */
  timestamp: number;
}

/** The whole header field, folded, without the CRLF behind it. */
export function createSignature(
  { names, canonical }: SelectedFields,
  { domain, key, bodyHash, timestamp }: SignatureOptions,
): string {
  const tags = [
    'v=1',
    `a=${key.algorithm}`,
    'c=relaxed/relaxed',
    `d=${domain}`,
    `s=${key.selector}`,
    `t=${timestamp}`,
    `bh=${bodyHash}`,
    `h=${names.join(':')}`,
    'b=',
  ];
  const unsigned = fold('DKIM-Signature:', tags);
  const signed = `${canonical}${canonicalizeField(unsigned)}`;
  const signature = signBytes(Buffer.from(signed, 'latin1'), key).toString('base64');
  return `${unsigned}${signature.replace(/.{1,72}/g, '\r\n $&')}`;
}

function signBytes(bytes: Buffer, { algorithm, privateKey }: DkimKey): Buffer {
  const key = parseKey(privateKey);
  if (algorithm === 'rsa-sha256') return sign('sha256', bytes, key);
  return sign(null, hash('sha256', bytes, 'buffer'), key); // RFC 8463 3: PureEdDSA over the hash
}

export interface SelectedFields {
  /** For `h=` */
  names: string[];
  canonical: string;
}

/** Names for `h=` and the canonical fields in the same order; of repeated fields the lowest first (5.4.2). */
export function selectFields(headers: Pick<Headers, 'getList'>): SelectedFields {
  const lines = Map.groupBy(headers.getList(), ({ key }) => key);
  const names: string[] = [];
  let canonical = '';
  for (const name of SIGNED) {
    const fields = lines.get(name) ?? [];
    for (const { line } of fields.toReversed()) {
      names.push(name);
      canonical += `${canonicalizeField(line)}\r\n`;
    }
    if (OVERSIGNED.includes(name) || (fields.length > 0 && OVERSIGNED_IF_PRESENT.includes(name))) {
      names.push(name);
    }
  }
  return { names, canonical };
}

/** Relaxed (3.4.2): lower-case name, unfolded, runs of space and tab as one space, none at the ends. */
export function canonicalizeField(line: string): string {
  const colon = line.indexOf(':');
  const name = line
    .slice(0, colon)
    .toLowerCase()
    .replace(/[ \t]+$/, '');
  const value = line
    .slice(colon + 1)
    .replace(/\r?\n/g, '')
    .replace(/[ \t]+/g, ' ')
    .replace(/^ | $/g, '');
  return `${name}:${value}`;
}

/** Joins the tags with folds; a long `h=` is folded at its colons, which verifiers ignore (3.2, FWS). */
function fold(name: string, tags: string[]): string {
  let text = name;
  let column = name.length;
  const pieces = tags.flatMap((tag, index) => {
    const ending = index < tags.length - 1 ? ';' : '';
    return `${tag}${ending}`
      .split(/(?<=:)/)
      .map((piece, part) => ({ piece, separator: part === 0 ? ' ' : '' }));
  });
  for (const { piece, separator } of pieces) {
    if (column + separator.length + piece.length > FOLD_AT) {
      text += `\r\n ${piece}`;
      column = 1 + piece.length;
    } else {
      text += `${separator}${piece}`;
      column += separator.length + piece.length;
    }
  }
  return text;
}

/** Parsing a PEM costs as much as signing: keys are kept parsed. */
const parsedKeys = new LRUCache<string, KeyObject>({ max: MAX_PARSED_KEYS });

function parseKey(pem: string): KeyObject {
  const known = parsedKeys.get(pem);
  if (known) return known;
  const key = createPrivateKey(pem);
  parsedKeys.set(pem, key);
  return key;
}
