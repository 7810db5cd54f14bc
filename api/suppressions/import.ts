/** Writes the entries of an imported list, in the worker: a batch a transaction, from where the last one ended. */
import { findSuppression } from '../../lib/rpc/contracts/suppressions.ts';
import { inTransaction, type Store } from '../database.ts';
import { listOwnedDomains } from '../models/list-owner.ts';
import { listAnswers, type NewSuppression } from '../models/suppression.ts';
import {
  advanceImport,
  findImport,
  finishImport,
  readImportParts,
  type SavedEntry,
  type SuppressionImport,
  saveEntries,
} from '../models/suppression-import.ts';
import { type Line, type Problem, readLines } from './read-csv.ts';
import { type EntryScope, readEntry } from './read-entry.ts';

const BATCH_LINES = 1_000;

/** Goes on with it, if it is not finished. @throws when another worker is at it */
export async function runImport(store: Store, importId: number): Promise<void> {
  const found = await findImport(store.pool, importId);
  if (found?.state !== 'running') return;
  const scope = await readScope(store, found);
  let read = 0;
  let isWhole = true;
  for await (const batch of inBatches(readLines(readImportParts(store.pool, importId)))) {
    const fresh = batch.slice(Math.max(0, found.lines - read));
    if (fresh.length > 0) {
      const saved = await saveBatch(
        store,
        { importId, from: read + batch.length - fresh.length },
        fresh,
        scope,
      );
      await forgetAnswers(store, found.organizationId, saved);
    }
    read += batch.length;
    isWhole &&= !batch.some((line) => !line.ok && line.isLast);
  }
  await inTransaction(store, (tx) => finishImport(tx, importId, isWhole ? 'finished' : 'failed'));
}

async function readScope(
  { pool }: Store,
  { organizationId, domainId }: SuppressionImport,
): Promise<EntryScope> {
  const owner = { organizationId, domainId: domainId ?? undefined };
  return { ...owner, domains: await listOwnedDomains(pool, owner), now: new Date() };
}

function saveBatch(
  store: Store,
  { importId, from }: { importId: number; from: number },
  lines: readonly Line[],
  scope: EntryScope,
): Promise<SavedEntry[]> {
  const { entries, problems } = readBatch(lines, scope);
  return inTransaction(store, async (tx) => {
    const saved = await saveEntries(tx, entries);
    const added = saved.filter(({ isNew }) => isNew).length;
    const progress = { lines: lines.length, added, changed: saved.length - added, problems };
    if (!(await advanceImport(tx, importId, from, progress))) {
      throw new Error(`another worker is at import ${importId}`);
    }
    return saved;
  });
}

/** Of lines about the same the last one counts. */
function readBatch(
  lines: readonly Line[],
  scope: EntryScope,
): { entries: NewSuppression[]; problems: Problem[] } {
  const entries = new Map<string, NewSuppression>();
  const problems: Problem[] = [];
  for (const line of lines) {
    const result = line.ok ? readEntry(line.line, line.cells, scope) : line;
    if (!result.ok) {
      problems.push(result.problem);
      continue;
    }
    const { address, domainId, list, stream } = result.entry;
    entries.set(`${address} ${domainId} ${list} ${stream}`, result.entry);
  }
  return { entries: [...entries.values()], problems };
}

/** Should the process die before, the answers that services hold are asked for anew after 30 s. */
async function forgetAnswers(
  { pool, invalidator }: Store,
  organizationId: number,
  saved: readonly SavedEntry[],
): Promise<void> {
  for (const [id, entries] of Map.groupBy(saved, ({ domainId }) => domainId)) {
    const owner = { organizationId, domainId: id ?? undefined };
    const answers = await listAnswers(
      pool,
      owner,
      entries.map(({ address }) => address),
    );
    await Promise.allSettled(answers.map((answer) => invalidator.invalidate(findSuppression, answer)));
  }
}

async function* inBatches(lines: AsyncIterable<Line>): AsyncGenerator<Line[]> {
  let batch: Line[] = [];
  for await (const line of lines) {
    if (batch.push(line) < BATCH_LINES) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
