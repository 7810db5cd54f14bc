/**
 * Idempotency keys: the same request, sent again, gets the same answer and sends nothing (contract 1.4).
 *
 * A key is claimed by a lock that lives as long as the transaction, and stored in that transaction together with what
 * it stands for. So a crash leaves either both or nothing, and never a claim that nobody holds.
 */
import { createHash } from 'node:crypto';
import { inTransaction, type Queryable, type Store, type Transaction } from '../database.ts';

const MAX_KEY_CHARACTERS = 255;
/** Printable ASCII: what a header field carries unchanged. */
const KEY = /^[ -~]+$/;
const LIFETIME_HOURS = 24;
const REAP_BATCH = 1_000;

export interface IdempotencyKey {
  /** Keys of different tokens have nothing to do with each other. */
  tokenId: number;
  key: string;
  /** Of the request; the key cannot stand for another one. */
  fingerprint: Buffer;
}

export interface Answer {
  status: number;
  body: object;
}

/** What stands for a key: the answer it had, or that of another request. */
export type KnownAnswer = { state: 'replayed'; answer: Answer } | { state: 'used_otherwise' };
export type Claim = { state: 'claimed' } | { state: 'running' } | KnownAnswer;
/** How a request with or without a key ended. */
export type Outcome = { state: 'answered'; answer: Answer } | { state: 'running' } | KnownAnswer;

interface Row {
  fingerprint: Buffer;
  status: number;
  body: string;
}

/** 1 to 255 printable ASCII characters. */
export function isKey(text: unknown): text is string {
  return typeof text === 'string' && text.length <= MAX_KEY_CHARACTERS && KEY.test(text);
}

/** @param parts whatever makes two requests the same */
export function fingerprintOf(...parts: readonly string[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:`).update(part);
  return hash.digest();
}

/** Undefined: nothing was answered under this key in the last 24 hours. */
export async function findAnswer(
  db: Queryable,
  { tokenId, key, fingerprint }: IdempotencyKey,
): Promise<KnownAnswer | undefined> {
  const { rows } = await db.query<Row>({
    name: 'find_answer',
    text: `select fingerprint, status, body
             from idempotency_keys
            where token_id = $1 and key = $2 and created_at > now() - make_interval(hours => $3)`,
    values: [tokenId, key, LIFETIME_HOURS],
  });
  const [row] = rows;
  if (!row) return undefined;
  if (!row.fingerprint.equals(fingerprint)) return { state: 'used_otherwise' };
  return { state: 'replayed', answer: { status: row.status, body: JSON.parse(row.body) } };
}

/**
 * Does the work in a transaction, and under the key only if nobody did it before; an answer of 200 is kept with it.
 * What is refused is not kept, and may be sent again under the same key.
 */
export async function answerOnce(
  store: Store,
  key: IdempotencyKey | undefined,
  work: (tx: Transaction) => Promise<Answer>,
): Promise<Outcome> {
  return inTransaction(store, async (tx) => {
    const claim = key && (await claimKey(tx, key));
    if (claim && claim.state !== 'claimed') return claim;
    const answer = await work(tx);
    if (key && answer.status === 200) await saveAnswer(tx, key, answer);
    return { state: 'answered', answer };
  });
}

/** Holds the key until the transaction ends; whoever comes meanwhile is told that it is running. */
async function claimKey(tx: Queryable, key: IdempotencyKey): Promise<Claim> {
  const { rows } = await tx.query<{ isClaimed: boolean }>({
    name: 'claim_key',
    text: 'select pg_try_advisory_xact_lock($1::bigint) as "isClaimed"',
    values: [String(lockIdOf(key))],
  });
  if (!rows[0]?.isClaimed) return { state: 'running' };
  // A look of its own: what was committed before the lock was given is seen only by a later statement.
  return (await findAnswer(tx, key)) ?? { state: 'claimed' };
}

/** Keeps the answer of a claimed key. One that is older than 24 hours is overwritten. */
async function saveAnswer(
  tx: Queryable,
  { tokenId, key, fingerprint }: IdempotencyKey,
  { status, body }: Answer,
): Promise<void> {
  await tx.query({
    name: 'save_answer',
    text: `insert into idempotency_keys (token_id, key, fingerprint, status, body)
                values ($1, $2, $3, $4, $5)
           on conflict (token_id, key) do update
                   set fingerprint = excluded.fingerprint,
                       status      = excluded.status,
                       body        = excluded.body,
                       created_at  = now()`,
    values: [tokenId, key, fingerprint, status, JSON.stringify(body)],
  });
}

/** Removes keys older than 24 hours, a batch at a time. @returns how many */
export async function reapKeys(db: Queryable): Promise<number> {
  for (let reaped = 0; ; ) {
    const { rowCount } = await db.query(
      `delete from idempotency_keys
        where ctid = any(array(select ctid
                                 from idempotency_keys
                                where created_at <= now() - make_interval(hours => $1)
                                limit $2))`,
      [LIFETIME_HOURS, REAP_BATCH],
    );
    reaped += rowCount ?? 0;
    if ((rowCount ?? 0) < REAP_BATCH) return reaped;
  }
}

/** 64 bits of a digest: two keys that share them by chance are told "running" once, and try again. */
function lockIdOf({ tokenId, key }: IdempotencyKey): bigint {
  return createHash('sha256').update(`idempotency ${tokenId} ${key}`).digest().readBigInt64BE();
}
