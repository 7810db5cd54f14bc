/**
 * What a client of the gateway can say in header fields that a client of the API says in JSON. They are for Postern
 * alone and are taken out before the message goes on.
 */
import { type HeaderField, splitMessage } from '../../lib/mail/header-block.ts';
import { DEFAULT_STREAM, isStream, type Stream } from '../models/stream.ts';
import { decodeField } from './decode-field.ts';
import { type Metadata, parseMetadata } from './metadata.ts';
import { decideLink } from './unsubscribe-link.ts';

const FAMILY = 'x-postern-';
const STREAM = 'X-Postern-Stream';
const METADATA = 'X-Postern-Metadata';
const UNSUBSCRIBE = 'X-Postern-Unsubscribe';
const TLS = 'X-Postern-TLS';
/** What a sender of SMTP may say by itself, in either spelling (contract-fields.ts). */
const OWN_LINKS = new Set(['list-unsubscribe', 'list-unsubscribe-post', 'x-list-unsubscribe']);

export type SubmissionFieldsResult =
  | { ok: true; stream: Stream; metadata: Metadata; hasUnsubscribeLink: boolean; requiresTls: boolean }
  | { ok: false; problem: string };

/** A field that cannot be read is a refusal: mail must not go out in another stream than was asked for. */
export async function readSubmissionFields(
  fields: readonly HeaderField[],
  offersUnsubscribe: boolean,
): Promise<SubmissionFieldsResult> {
  for (const name of [STREAM, METADATA, UNSUBSCRIBE, TLS]) {
    if (fields.filter((field) => field.name === name.toLowerCase()).length > 1)
      return refuse(`${name} is given twice`);
  }
  const stream = (await readText(fields, STREAM))?.toLowerCase() || DEFAULT_STREAM;
  if (!isStream(stream)) return refuse(`${STREAM} is not transactional or bulk`);
  const text = await readText(fields, METADATA);
  const parsed = text ? parseMetadata(parseJson(text)) : ({ ok: true, metadata: {} } as const);
  if (!parsed.ok) return refuse(`${METADATA}: ${parsed.field} ${parsed.problem}`);
  const answer = (await readText(fields, UNSUBSCRIBE))?.toLowerCase() || undefined;
  if (answer && answer !== 'yes' && answer !== 'no') return refuse(`${UNSUBSCRIBE} is not yes or no`);
  const tls = (await readText(fields, TLS))?.toLowerCase() || 'opportunistic';
  if (tls !== 'required' && tls !== 'opportunistic') return refuse(`${TLS} is not required or opportunistic`);
  const decision = decideLink({
    asked: answer === undefined ? undefined : answer === 'yes',
    stream,
    hasOwn: fields.some(({ name }) => OWN_LINKS.has(name)),
    isOffered: offersUnsubscribe,
  });
  if (!decision.ok) return refuse(`${UNSUBSCRIBE} ${decision.problem}`);
  return {
    ok: true,
    stream,
    metadata: parsed.metadata,
    hasUnsubscribeLink: decision.hasLink,
    requiresTls: tls === 'required',
  };
}

/** The message without any field of the family; all other bytes stay. */
export function removeSubmissionFields(message: Buffer): Buffer {
  const { fields, rest } = splitMessage(message);
  const kept = fields.filter(({ name }) => !name.startsWith(FAMILY));
  return kept.length === fields.length ? message : Buffer.concat([...kept.map(({ raw }) => raw), rest]);
}

/** Encoded words are decoded: a mail library encodes JSON that is not ASCII (RFC 2047). */
async function readText(fields: readonly HeaderField[], name: string): Promise<string | undefined> {
  const field = fields.find((candidate) => candidate.name === name.toLowerCase());
  return field && decodeField(field);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // no object, as its reader will say
  }
}

function refuse(problem: string): SubmissionFieldsResult {
  return { ok: false, problem };
}
