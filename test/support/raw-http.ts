/** HTTP as it should not be: bytes on a socket, and all that comes back until the server closes. */
import { connect } from 'node:net';

export interface RawReply {
  text: string;
  /** Of each answer on the connection, in order */
  statuses: number[];
  /** From the last byte that was sent to the end */
  ms: number;
}

/**
 * Writes the pieces, and waits for the server to close.
 * @param pieces as many as the server takes; it may hang up in between
 */
export async function sendRaw(port: number, pieces: Iterable<string>): Promise<RawReply> {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  let isOpen = true;
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  void closed.then(() => {
    isOpen = false;
  });
  socket.on('error', () => {}); // a reset is an end as well
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  const next = (event: 'connect' | 'drain') =>
    Promise.race([new Promise((resolve) => socket.once(event, resolve)), closed]);
  await next('connect');
  for (const piece of pieces) {
    if (!isOpen) break;
    if (!socket.write(piece)) await next('drain');
  }
  const startedAt = performance.now();
  await closed;
  const statuses = [...text.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status));
  return { text, statuses, ms: performance.now() - startedAt };
}
