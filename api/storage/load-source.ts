/** The source of a message, from wherever it lies by now. */
import type { Queryable } from '../database.ts';
import { findSource } from '../models/message-source.ts';
import type { ObjectStore } from './object-store.ts';

export type SourceResult =
  | { ok: true; content: Buffer }
  /** gone: not kept any more */
  | { ok: false; reason: 'gone' }
  | { ok: false; reason: 'unavailable'; error: Error };

/** @param objects undefined: none is configured any more; what was moved there cannot be read */
export async function loadSource(
  db: Queryable,
  objects: ObjectStore | undefined,
  messageId: number,
): Promise<SourceResult> {
  const place = await findSource(db, messageId);
  if (!place) return { ok: false, reason: 'gone' };
  if (place.content) return { ok: true, content: place.content };
  if (!objects) {
    return {
      ok: false,
      reason: 'unavailable',
      error: new Error(`${place.objectKey}: storage.endpoint is not set`),
    };
  }
  const result = await objects.read(place.objectKey);
  if (result.ok || result.reason === 'unavailable') return result;
  return { ok: false, reason: 'gone' };
}
