/** Message bodies: taken from the receiver's stream, given to the sender's. */
import { Readable } from 'node:stream';
import type pg from 'pg';
import type { Logger } from '../../lib/log.ts';
import { retryTransient } from './database.ts';

/** The whole body. The stream's size is limited before it comes here (smtpInterfaces.intake.maxSize). */
export async function readBody(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Ends with an error when there is no such body; while the database does not answer it waits. */
export function bodyStream(pool: pg.Pool, queueId: string, log: Logger): Readable {
  return Readable.from(readStoredBody(pool, queueId, log), { objectMode: false });
}

async function* readStoredBody(pool: pg.Pool, queueId: string, log: Logger): AsyncGenerator<Buffer> {
  const { rows } = await retryTransient(
    () =>
      pool.query<{ body: Buffer }>({
        name: 'read_body',
        text: 'select body from messages where id = $1',
        values: [queueId],
      }),
    (error, attempt) => log.warn({ err: error, queueId, attempt }, 'body.retried'),
  );
  const body = rows[0]?.body;
  if (!body) throw Object.assign(new Error(`No body of message ${queueId}`), { code: 'ENOENT' });
  if (body.length > 0) yield body;
}
