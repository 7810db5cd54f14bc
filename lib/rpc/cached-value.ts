/** How a cached value stands in Redis: JSON, sealed where the contract says so. Nothing read back is trusted (RP-4). */
import { seal, unseal } from '../secrets.ts';
import type { Contract } from './contracts/contract.ts';
import { checksOf } from './validation.ts';

/** What the api answered, and when it was asked (ms since 1970). A missing value means: there is none. */
export interface Entry {
  fetchedAt: number;
  value?: unknown;
}

/** The moment is sealed too: nobody can make an old value young again. The key binds it to its place. */
export function encodeEntry(contract: Contract, key: string, entry: Entry, sealKey: Buffer): string {
  const json = JSON.stringify(entry);
  return contract.cache?.sealed ? seal(sealKey, json, key).toString('base64') : json;
}

/** Undefined: sealed by another key, no JSON, not our form, or not what the contract says. */
export function decodeEntry(
  contract: Contract,
  key: string,
  text: unknown,
  sealKey: Buffer,
): Entry | undefined {
  if (typeof text !== 'string') return undefined;
  const json = contract.cache?.sealed
    ? unseal(sealKey, Buffer.from(text, 'base64'), key)?.toString('utf8')
    : text;
  const entry = parseEntry(json);
  if (!entry) return undefined;
  return entry.value !== undefined && checksOf(contract).reply(entry.value) ? undefined : entry;
}

function parseEntry(json: string | undefined): Entry | undefined {
  try {
    const parsed: unknown = JSON.parse(json ?? '');
    if (typeof parsed !== 'object' || parsed === null || !('fetchedAt' in parsed)) return undefined;
    if (typeof parsed.fetchedAt !== 'number') return undefined;
    return 'value' in parsed
      ? { fetchedAt: parsed.fetchedAt, value: parsed.value }
      : { fetchedAt: parsed.fetchedAt };
  } catch {
    return undefined; // no JSON
  }
}
