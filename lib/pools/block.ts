/** An address that a site does not want to hear from, and for how long it is left alone there. */
import Type, { type Static } from 'typebox';
import Value from 'typebox/value';

const blockSchema = Type.Object({
  address: Type.String(),
  site: Type.String(),
  /** How often it was blocked there without a calm time between. */
  strikes: Type.Integer({ minimum: 1 }),
  /** Milliseconds since the epoch */
  startedAt: Type.Number(),
  endsAt: Type.Number(),
  /** What the site said, one line */
  reply: Type.String(),
});
export type AddressBlock = Static<typeof blockSchema>;

export interface BlockTerms {
  /** Of the first block */
  blockSeconds: number;
  /** Each block is twice as long as the one before, up to this; a calm time of this length is forgiven. */
  maxBlockSeconds: number;
}

const MAX_REPLY_CHARACTERS = 300;

/**
 * The block after another refusal. One that still stands is not made longer: replies to what was under way when it began
 * say nothing new.
 */
export function raiseBlock(
  previous: AddressBlock | undefined,
  { address, site, reply, now }: { address: string; site: string; reply: string; now: number },
  { blockSeconds, maxBlockSeconds }: BlockTerms,
): AddressBlock {
  if (previous && isActive(previous, now)) return previous;
  const isForgiven = !previous || now - previous.endsAt > maxBlockSeconds * 1000;
  const strikes = isForgiven ? 1 : previous.strikes + 1;
  const seconds = Math.min(blockSeconds * 2 ** Math.min(strikes - 1, 30), maxBlockSeconds);
  const text = reply.replace(/\p{Cc}+/gu, ' ').slice(0, MAX_REPLY_CHARACTERS);
  return { address, site, strikes, startedAt: now, endsAt: now + seconds * 1000, reply: text };
}

export function isActive({ endsAt }: AddressBlock, now: number): boolean {
  return now < endsAt;
}

/** Undefined: not what we write. */
export function readBlock(text: string): AddressBlock | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Value.Check(blockSchema, value) ? value : undefined;
  } catch {
    return undefined; // no JSON: somebody else's
  }
}
