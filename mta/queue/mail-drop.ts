/**
 * In place of ZoneMTA's lib/mail-drop.js, which leads a message from the SMTP session into the queue through eight
 * streams, with a turn of the event loop for every line. A message that fits in memory is taken in one pass here, with
 * the same result: header fields for the hooks, the body with CRLF line ends, its hashes. A longer one takes ZoneMTA's
 * way, and so does everything when a plugin wants to see mail as a stream.
 */
import { hash } from 'node:crypto';
import { PassThrough, type Readable, type Transform } from 'node:stream';
import {
  type Callback,
  createHeaders,
  type DroppedEnvelope,
  hashBody,
  pluginHandler,
  zoneMtaMailDrop,
} from '../zone-mta.ts';
import { LONGEST_IN_MEMORY } from './bodies.ts';

const DKIM_HASH = 'sha256';
const LF = 0x0a;
const CR = 0x0d;
const CRLF = Buffer.from('\r\n');
/** ZoneMTA tells these more than the short way knows. */
const HOOKS_OF_STREAMS = ['message:store', 'log:entry'];

/** Our own hook: the message as it came in, a Buffer, or a stream where it is long. */
const CONTENT = 'message:content';

/** Of a receiver (remote-queue.ts); the master's takes no mail. */
interface ReceivingQueue {
  storeBytes(id: string, bytes: Buffer): void;
  push(id: string, envelope: DroppedEnvelope, callback: Callback): void;
}

class PosternMailDrop extends zoneMtaMailDrop() {
  override add(envelope: DroppedEnvelope, source: Transform, callback: Callback): void {
    const queue = this.queue as Partial<ReceivingQueue>;
    if (!queue.storeBytes) {
      super.add(envelope, source, callback);
      return;
    }
    const addStream = (stream: Readable) => {
      offerContent(envelope, stream);
      super.add(envelope, stream, (error, text) => callback(error, text && withNote(envelope, String(text))));
    };
    failWhenCutOff(source);
    if (wantsStreams()) addStream(source);
    else {
      gather(source, {
        onFailed: callback,
        onLong: addStream,
        onShort: (message) =>
          drop(queue as ReceivingQueue, envelope, message).then((text) => callback(null, text), callback),
      });
    }
  }
}

/** For plugins that look at the whole message, while it comes in. They answer in `message:queue`, before its commit. */
function offerContent(envelope: DroppedEnvelope, stream: Readable): void {
  const handler = pluginHandler();
  if (!handler.hooks.has(CONTENT)) return;
  const content = stream.pipe(new PassThrough());
  stream.once('error', (error) => content.destroy(error));
  content.cork(); // the hooks come one after another; what flowed to the first would be lost to the next
  handler
    .runHooks(CONTENT, [envelope, content])
    .catch(() => content.resume())
    .finally(() => content.uncork());
}

function withNote({ replyNote }: DroppedEnvelope, text: string): string {
  return replyNote ? `${text}; ${replyNote}` : text;
}

/** smtp-server lets go of the stream when the connection is lost: without an error its reader would wait for ever. */
function failWhenCutOff(source: Transform): void {
  source.on('error', () => {}); // there may be nobody else any more
  source.once('unpipe', () => {
    if (!source.writableEnded) source.destroy(new Error('The connection was lost within the message'));
  });
}

function wantsStreams(): boolean {
  const { analyzers, rewriters, streamers, hooks } = pluginHandler();
  return (
    analyzers.size + rewriters.size + streamers.size > 0 || HOOKS_OF_STREAMS.some((name) => hooks.has(name))
  );
}

interface Gathered {
  onShort(message: Buffer): void;
  /** Longer than what is kept in memory: a stream of all of it. */
  onLong(stream: PassThrough): void;
  onFailed(error: Error): void;
}

function gather(source: Transform, { onShort, onLong, onFailed }: Gathered): void {
  const chunks: Buffer[] = [];
  let size = 0;
  const onData = (chunk: Buffer) => {
    chunks.push(chunk);
    size += chunk.length;
    if (size <= LONGEST_IN_MEMORY) return;
    stop();
    onLong(continueAsStream(chunks, source));
  };
  const onEnd = () => {
    stop();
    onShort(Buffer.concat(chunks, size));
  };
  const onError = (error: Error) => {
    stop();
    onFailed(error);
  };
  const stop = () => source.off('data', onData).off('end', onEnd).off('error', onError);
  source.on('data', onData).on('end', onEnd).on('error', onError);
}

function continueAsStream(chunks: Buffer[], source: Transform): PassThrough {
  const whole = new PassThrough();
  for (const chunk of chunks) whole.write(chunk);
  source.once('error', (error) => whole.destroy(error));
  return source.pipe(whole);
}

/** @returns the text of the reply, when the message is committed */
async function drop(queue: ReceivingQueue, envelope: DroppedEnvelope, message: Buffer): Promise<string> {
  const { id } = envelope;
  const bodyStart = findBody(message);
  const body = withCrlf(message.subarray(bodyStart));
  const headers = createHeaders(message.subarray(0, bodyStart));
  const info = {};
  envelope.headers = headers;
  await pluginHandler().runHooks('message:headers', [envelope, info]);
  await pluginHandler().runHooks(CONTENT, [envelope, message]);
  envelope.dkim = { hashAlgo: DKIM_HASH, bodyHash: hashBody('relaxed', DKIM_HASH, body) };
  envelope.bodySize = body.length;
  envelope.sourceMd5 = hash('md5', body);
  await pluginHandler().runHooks('message:queue', [envelope, info]);
  envelope.headers = headers.getList();
  queue.storeBytes(id, body);
  return new Promise((resolve, reject) => {
    queue.push(id, envelope, (error) =>
      error ? reject(error) : resolve(withNote(envelope, `Message queued as ${id}`)),
    );
  });
}

/** Behind the first empty line; without one, all is header. */
function findBody(message: Buffer): number {
  for (let start = 0; ; ) {
    const end = message.indexOf(LF, start);
    if (end === -1) return message.length;
    if (end === start || (end === start + 1 && message[start] === CR)) return end + 1;
    start = end + 1;
  }
}

/** A line feed without a carriage return before it gets one. */
function withCrlf(body: Buffer): Buffer {
  const pieces: Buffer[] = [];
  let start = 0;
  for (let at = body.indexOf(LF); at !== -1; at = body.indexOf(LF, at + 1)) {
    if (body[at - 1] === CR) continue;
    pieces.push(body.subarray(start, at), CRLF);
    start = at + 1;
  }
  return pieces.length === 0 ? body : Buffer.concat([...pieces, body.subarray(start)]);
}

export { PosternMailDrop as 'module.exports' };
