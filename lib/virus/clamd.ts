/** Asks clamd whether a message holds a virus (clamd(8), INSTREAM). One connection a message, as clamd closes it. */
import { connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';

/** Of silence: clamd is busy with the message, or gone. Below the deadline of a hook (lib/plugin.ts). */
const SILENCE_TIMEOUT_MS = 8_000;
const MAX_ANSWER_BYTES = 1_000;
const END = Buffer.alloc(4);
/** What stands in our own reply: words of letters, digits and what signature databases use between them. */
const NAME = /^[\w.:/+-]{1,100}$/;

export type VirusFinding = { kind: 'clean' } | { kind: 'infected'; virus: string } | { kind: 'too_large' };

export interface Clamd {
  /** @throws when clamd does not answer, or not with a verdict */
  check(content: Buffer | Readable): Promise<VirusFinding>;
}

export interface ClamdOptions {
  host: string;
  port: number;
  /** Path of a Unix socket, instead of host and port; empty: none */
  socket: string;
  /** Longer messages are not shown to it. */
  maxBytes: number;
}

export function createClamd({ host, port, socket: path, maxBytes }: ClamdOptions): Clamd {
  return {
    async check(content) {
      const socket = path === '' ? connect({ host, port }) : connect(path);
      try {
        const answer = readAnswer(socket);
        answer.catch(() => {}); // when the message fails first, that is thrown
        if (await stream(content, socket, maxBytes)) return readVerdict(await answer);
        return { kind: 'too_large' };
      } finally {
        socket.destroy();
      }
    },
  };
}

/** Each piece behind its length, and a length of 0 at the end. False: it is longer than that. */
async function stream(content: Buffer | Readable, socket: Socket, maxBytes: number): Promise<boolean> {
  let size = 0;
  await write(socket, Buffer.from('zINSTREAM\0'));
  for await (const piece of Buffer.isBuffer(content) ? Readable.from([content]) : content) {
    size += piece.length;
    if (size > maxBytes) return false;
    const length = Buffer.alloc(4);
    length.writeUInt32BE(piece.length);
    if (piece.length > 0) await write(socket, Buffer.concat([length, piece]));
  }
  await write(socket, END);
  return true;
}

/** Resolves when it has left; clamd that closed the connection in the middle is found by it. */
function write(socket: Socket, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(bytes, (error) => (error ? reject(socket.errored ?? error) : resolve()));
  });
}

function readAnswer(socket: Socket): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let answer = '';
  socket.setTimeout(SILENCE_TIMEOUT_MS, () => socket.destroy(new Error('clamd is silent')));
  socket.on('data', (chunk) => {
    answer = (answer + chunk.toString('latin1')).slice(0, MAX_ANSWER_BYTES);
  });
  socket.once('error', reject);
  socket.once('close', () => resolve(answer));
  return promise;
}

/** @throws when it is none */
function readVerdict(answer: string): VirusFinding {
  const text = answer.replace(/\0.*$/s, '');
  if (text === 'stream: OK') return { kind: 'clean' };
  const virus = /^stream: (.*) FOUND$/s.exec(text)?.[1];
  if (virus !== undefined) return { kind: 'infected', virus: NAME.test(virus) ? virus : 'unnamed' };
  throw new Error(text === '' ? 'clamd closed the connection' : `clamd answers ${text}`);
}
