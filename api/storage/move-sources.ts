/**
 * Moves sources of messages that have ended to object storage. A source is deleted here only after its copy was read back
 * and is the same, byte by byte: whatever dies on the way, it is in one of the two places (models/source-move.ts).
 */
import type { Pool } from '../database.ts';
import { findLocalSource } from '../models/message-source.ts';
import { type IdRange, listIdRanges } from '../models/partition.ts';
import { finishMoves, type ReservedMove, reserveMoves } from '../models/source-move.ts';
import { inTurns } from './in-turns.ts';
import type { ObjectStore } from './object-store.ts';

const BATCH = 100;
/** Each holds its source twice in memory. */
const COPIES_AT_A_TIME = 4;

export interface MoveOptions {
  pool: Pool;
  objects: ObjectStore;
  endedBeforeSeconds: number;
  /** No batch begins after it; milliseconds of performance.now() */
  deadline: number;
}

export interface MoveResult {
  moved: number;
  /** What went wrong with single ones; they are tried again the next time */
  failures: Error[];
}

/** @throws when nothing of a batch could be moved: the storage is out of reach, or refuses us */
export async function moveSources(options: MoveOptions): Promise<MoveResult> {
  const result: MoveResult = { moved: 0, failures: [] };
  for (const range of (await listIdRanges(options.pool)).toReversed())
    await moveRange(options, range, result);
  return result;
}

async function moveRange(options: MoveOptions, range: IdRange, result: MoveResult): Promise<void> {
  const { pool, endedBeforeSeconds, deadline } = options;
  let { from } = range;
  while (performance.now() < deadline) {
    const moves = await reserveMoves(pool, { from, to: range.to }, { endedBeforeSeconds, limit: BATCH });
    const last = moves.at(-1);
    if (!last) return;
    from = last.messageId + 1;
    const failures = await moveBatch(options, moves);
    const [first] = failures;
    if (first && failures.length === moves.length) throw first;
    result.failures.push(...failures);
    result.moved += moves.length - failures.length;
  }
}

/** @returns why some of them did not move */
async function moveBatch(options: MoveOptions, moves: readonly ReservedMove[]): Promise<Error[]> {
  const results = await inTurns(moves, COPIES_AT_A_TIME, (move) => copySource(options, move));
  await finishMoves(
    options.pool,
    moves.filter((_, index) => results[index]?.status === 'fulfilled').map(({ messageId }) => messageId),
  );
  return results.filter((result) => result.status === 'rejected').map(({ reason }) => reason);
}

/** @throws when the copy is not what it should be */
async function copySource(
  { pool, objects }: MoveOptions,
  { messageId, objectKey }: ReservedMove,
): Promise<void> {
  const content = await findLocalSource(pool, messageId);
  if (!content) return; // another worker was faster
  await objects.put(objectKey, content);
  const copy = await objects.read(objectKey);
  if (!copy.ok) throw new Error(`${objectKey} cannot be read back: ${copy.reason}`);
  if (!copy.content.equals(content)) throw new Error(`${objectKey} is not what was written`);
}
