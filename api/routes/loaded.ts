/** What a message says, loaded for a request; or the reply that says why not. */
import type { FastifyRequest } from 'fastify';
import type { Pool } from '../database.ts';
import { findInboundContent, type InboundMessage } from '../models/inbound-message.ts';
import { UNAVAILABLE } from '../plugins/admission.ts';
import { NOT_FOUND } from '../plugins/errors.ts';

/** What a source takes in memory: as it comes from the database, as it is, and as it is answered. */
export const COPIES = 3;
export const GONE = { error: 'The source of this message is not kept any more' };
export const NO_PARTS = { error: 'This message cannot be taken apart' };

export type Loaded<T, Code> = { ok: true; value: T } | { ok: false; code: Code; body: { error: string } };

export function refuse<Code extends number>(code: Code, body: { error: string }) {
  return { ok: false, code, body } as const;
}

/** @param message that came in; undefined: not for whoever asks */
export async function loadInboundContent(
  pool: Pool,
  request: FastifyRequest,
  message: Pick<InboundMessage, 'id' | 'sizeBytes'> | undefined,
): Promise<Loaded<Buffer, 404 | 410 | 503>> {
  if (!message) return refuse(404, NOT_FOUND);
  if (!request.admitBytes(message.sizeBytes * COPIES)) return refuse(503, UNAVAILABLE);
  const value = await findInboundContent(pool, message.id);
  return value ? { ok: true, value } : refuse(410, GONE);
}
