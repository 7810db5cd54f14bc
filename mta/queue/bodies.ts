/**
 * Message bodies: taken from the receiver's stream, given to the sender's. A short one travels in memory; a long one is
 * written in chunks while it comes in and read chunk by chunk while it goes out, whatever its size.
 */
import { Readable } from 'node:stream';
import type pg from 'pg';
import type { Logger } from '../../lib/log.ts';
import { retryTransient } from './database.ts';

/** Longer bodies are written in chunks. */
export const LONGEST_IN_MEMORY = 1_048_576;
const CHUNK_BYTES = 262_144;

/** A body on its way into the queue: in memory, or in chunks within an open transaction that `push` will commit. */
export type IncomingBody =
  | { kind: 'short'; bytes: Buffer }
  | { kind: 'long'; client: pg.PoolClient; chunks: number };

export async function readIncomingBody(
  pool: pg.Pool,
  queueId: string,
  stream: Readable,
): Promise<IncomingBody> {
  let pending: Buffer[] = [];
  let size = 0;
  let writer: ChunkWriter | undefined;
  try {
    for await (const chunk of stream) {
      pending.push(chunk as Buffer);
      size += (chunk as Buffer).length;
      if (size <= (writer ? CHUNK_BYTES : LONGEST_IN_MEMORY)) continue;
      writer ??= await ChunkWriter.open(pool, queueId);
      pending = [await writer.writeWhole(Buffer.concat(pending))];
      size = pending[0]?.length ?? 0;
    }
    if (!writer) return { kind: 'short', bytes: Buffer.concat(pending) };
    await writer.write(Buffer.concat(pending));
    return { kind: 'long', client: writer.client, chunks: writer.count };
  } catch (error) {
    writer?.client.release(true); // its transaction ends with the connection
    throw error;
  }
}

class ChunkWriter {
  readonly client: pg.PoolClient;
  readonly #queueId: string;
  count = 0;

  private constructor(client: pg.PoolClient, queueId: string) {
    this.client = client;
    this.#queueId = queueId;
  }

  static async open(pool: pg.Pool, queueId: string): Promise<ChunkWriter> {
    const client = await pool.connect();
    try {
      await client.query('begin');
    } catch (error) {
      client.release(true); // it would be missing from the pool for as long as the process lives
      throw error;
    }
    return new ChunkWriter(client, queueId);
  }

  /** Writes all whole chunks. @returns what is left of the bytes */
  async writeWhole(bytes: Buffer): Promise<Buffer> {
    let start = 0;
    for (; bytes.length - start >= CHUNK_BYTES; start += CHUNK_BYTES) {
      await this.write(bytes.subarray(start, start + CHUNK_BYTES));
    }
    return bytes.subarray(start);
  }

  async write(bytes: Buffer): Promise<void> {
    if (bytes.length === 0) return;
    await this.client.query({
      name: 'write_chunk',
      text: 'insert into message_chunks (queue_id, number, bytes) values ($1, $2, $3)',
      values: [this.#queueId, this.count++, bytes],
    });
  }
}

/** Ends with an error when there is no such body; while the database does not answer it waits. */
export function storedBody(pool: pg.Pool, queueId: string, log: Logger): Readable {
  return Readable.from(readStored(pool, queueId, log), { objectMode: false, highWaterMark: CHUNK_BYTES });
}

/** A body that is in memory already. */
export function bodyInMemory(bytes: Buffer): Readable {
  return new Readable({
    read() {
      if (bytes.length > 0) this.push(bytes);
      this.push(null);
    },
  });
}

async function* readStored(pool: pg.Pool, queueId: string, log: Logger): AsyncGenerator<Buffer> {
  const query = <Row extends pg.QueryResultRow>(name: string, text: string, values: unknown[]) =>
    retryTransient(
      () => pool.query<Row>({ name, text, values }),
      (error, attempt) => log.warn({ err: error, queueId, attempt }, 'body.retried'),
    );
  const { rows } = await query<{ body: Buffer; chunks: number }>(
    'read_body',
    'select body, chunks from messages where id = $1',
    [queueId],
  );
  const [message] = rows;
  if (!message) throw missing(queueId);
  if (message.body.length > 0) yield message.body;
  for (let number = 0; number < message.chunks; number++) {
    const chunk = await query<{ bytes: Buffer }>(
      'read_chunk',
      'select bytes from message_chunks where queue_id = $1 and number = $2',
      [queueId, number],
    );
    const bytes = chunk.rows[0]?.bytes;
    if (!bytes) throw missing(queueId);
    yield bytes;
  }
}

function missing(queueId: string): Error {
  return Object.assign(new Error(`The body of message ${queueId} is not complete`), { code: 'ENOENT' });
}
