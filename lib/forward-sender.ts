/**
 * Envelope senders of forwarded mail, by the Sender Rewriting Scheme (Shevek, "The Sender Rewriting Scheme", 2004):
 *
 *   ann@example.org             SRS0=<mac>=<day><message>=example.org=ann@<return path domain>
 *   SRS0=…=example.org=ann@fwd  SRS1=<mac>=<day><message>=fwd==…=example.org=ann@<return path domain>
 *
 * The forwarder passes SPF with a name of its own, and whoever is next in a chain of forwarders finds the form that it
 * knows. Unlike the paper's, the token names the message as well: a bounce that comes to it says by itself which forward
 * has failed, and the api knows whom to tell (docs/forwarding.md). Case is lost on the way, so nothing depends on it.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { currentKey, keysIn } from './secrets.ts';

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'; // RFC 4648 section 6, lower case
const MAC_CHARACTERS = 8; // 40 bits; each guess costs an RCPT
const DAYS_IN_CYCLE = 32 ** 2;
const LIFETIME_DAYS = 21;
const DAY_MS = 86_400_000;
/** RFC 5321 4.5.3.1.1 */
const MAX_LOCAL_PART = 64;

const FORM = /^srs[01]=([a-z2-7]{8})=([a-z2-7]{2})([0-9a-z]{1,10})=(.+)$/;
/** What stands unquoted in a local part, and has no second reading in an address (RFC 5321 4.1.2) */
const PLAIN = /^[a-z0-9!#$%&'*+/=?^_`{|}~.-]+@[a-z0-9.-]+$/i;

/**
 * @param key from deriveKey(masterKey, 'forward')
 * @returns undefined: it does not fit into a local part; such mail has another return path (lib/return-path.ts)
 */
export function createForwardSender(
  { messageId, sender, domain }: { messageId: number; sender: string; domain: string },
  key: Buffer,
  now = Date.now(),
): string | undefined {
  if (!PLAIN.test(sender)) return undefined;
  const rest = describe(sender);
  const stamp = `${encodeDay(dayOf(now))}${messageId.toString(36)}`;
  const localPart = `${rest.scheme}=${sign(`${stamp}=${rest.text}`, currentKey(key))}=${stamp}=${rest.text}`;
  return localPart.length > MAX_LOCAL_PART ? undefined : `${localPart}@${domain}`;
}

/** The id of the forwarded message; undefined when the address is none of ours, or is out of date. */
export function readForwardSender(address: string, key: Buffer, now = Date.now()): number | undefined {
  const localPart = address.slice(0, address.lastIndexOf('@')).toLowerCase();
  const [, mac = '', day = '', id = '', rest = ''] = FORM.exec(localPart) ?? [];
  if (rest === '') return undefined;
  const text = `${day}${id}=${rest}`;
  const isOurs = keysIn(key).some((one) => timingSafeEqual(Buffer.from(mac), Buffer.from(sign(text, one))));
  if (!isOurs) return undefined;
  const age = (dayOf(now) - decodeDay(day) + DAYS_IN_CYCLE) % DAYS_IN_CYCLE;
  return age <= LIFETIME_DAYS ? Number.parseInt(id, 36) : undefined;
}

/** Of an address that was rewritten before, the first forwarder, and all that it says: a chain gets no longer than that. */
function describe(sender: string): { scheme: 'SRS0' | 'SRS1'; text: string } {
  const at = sender.lastIndexOf('@');
  const [localPart, domain] = [sender.slice(0, at), sender.slice(at + 1)];
  const first = /^srs0[=+-](.+)$/i.exec(localPart)?.[1];
  if (first !== undefined) return { scheme: 'SRS1', text: `${domain}==${first}` };
  const later = /^srs1[=+-][^=]+=(?:[^=]+=)?([^=]+==.+)$/i.exec(localPart)?.[1];
  if (later !== undefined) return { scheme: 'SRS1', text: later };
  return { scheme: 'SRS0', text: `${domain}=${localPart}` };
}

function sign(text: string, key: Buffer): string {
  const mac = createHmac('sha256', key).update(text.toLowerCase()).digest();
  return Array.from({ length: MAC_CHARACTERS }, (_, index) => ALPHABET[(mac[index] ?? 0) & 31]).join('');
}

function dayOf(ms: number): number {
  return Math.floor(ms / DAY_MS) % DAYS_IN_CYCLE;
}

function encodeDay(day: number): string {
  return `${ALPHABET[day >> 5]}${ALPHABET[day & 31]}`;
}

function decodeDay(text: string): number {
  return ALPHABET.indexOf(text[0] ?? '') * 32 + ALPHABET.indexOf(text[1] ?? '');
}
