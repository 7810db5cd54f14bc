/**
 * smtp-server's parser, stricter: a command line ends with CRLF and nothing else (RFC 5321 2.3.8, CM-5), one that has no
 * end when the client leaves is no command, and neither are the octets of a refused BDAT (RFC 3030 2, CM-10).
 */
import { SMTPStream } from 'smtp-server/lib/smtp-stream.js';

const CR = 0x0d;
const LF = 0x0a;

type Done = (error?: Error | null) => void;

export class CommandStream extends SMTPStream {
  readonly #refuseBareLineFeed: () => void;
  #skippedBytes = 0;
  #endsWithCr = false;

  /** @param refuseBareLineFeed answers a line that ends with a bare LF, and closes */
  constructor(options: { maxCommandLength?: number | undefined }, refuseBareLineFeed: () => void) {
    super(options);
    this.#refuseBareLineFeed = refuseBareLineFeed;
  }

  /** So many of the next octets are dropped. */
  skip(bytes: number): void {
    this.#skippedBytes += bytes;
  }

  override _write(chunk: Buffer, encoding: BufferEncoding | 'buffer', next: Done): void {
    if (this._dataMode || this.isClosed || chunk.length === 0) super._write(chunk, encoding, next);
    else if (this.#skippedBytes > 0) this.#skip(chunk, encoding, next);
    else this.#writeLine(chunk, encoding, next);
  }

  #skip(chunk: Buffer, encoding: BufferEncoding | 'buffer', next: Done): void {
    const skipped = Math.min(this.#skippedBytes, chunk.length);
    this.#skippedBytes -= skipped;
    this._write(chunk.subarray(skipped), encoding, next);
  }

  /** smtp-server is given one line at a time. */
  #writeLine(chunk: Buffer, encoding: BufferEncoding | 'buffer', next: Done): void {
    const end = chunk.indexOf(LF) + 1;
    const line = end === 0 ? chunk : chunk.subarray(0, end);
    const hasCr = end === 1 ? this.#endsWithCr : line.at(-2) === CR;
    this.#endsWithCr = line.at(-1) === CR;
    if (end > 0 && !hasCr) {
      this.#refuseBareLineFeed();
      next();
      return;
    }
    // By way of the event loop, so that a chunk full of commands holds up nobody else.
    super._write(line, encoding, (error) => {
      const rest = chunk.subarray(line.length);
      if (error || rest.length === 0) next(error);
      else setImmediate(() => this._write(rest, encoding, next));
    });
  }

  override _flushData(): void {
    this._remainder = '';
  }
}
