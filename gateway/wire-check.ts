/**
 * What a message may not have on the wire: bare CR or LF and NUL, which other servers take for line ends or the end
 * of the message (SMTP smuggling, SM-1 to SM-12), and lines that others would break, and DKIM with them (CM-3).
 */
import type { ReplyName } from './replies.ts';

/** RFC 5322 2.1.1, without the CRLF */
const MAX_LINE_BYTES = 998;
const NUL = 0x00;
const LF = 0x0a;
const CR = 0x0d;

export type WireFault = Extract<ReplyName, 'bareLineEnd' | 'nulByte' | 'lineTooLong'>;

/** Reads a message chunk by chunk and remembers the first fault; where the chunks are cut makes no difference. */
export class WireCheck {
  #previous = LF;
  #lineBytes = 0;
  #fault: WireFault | undefined;

  push(chunk: Buffer): void {
    let fault = this.#fault;
    let previous = this.#previous;
    let lineBytes = this.#lineBytes;
    // By index and with locals: 30 MB take 90 ms so, and 380 ms otherwise.
    for (let index = 0; index < chunk.length && !fault; index += 1) {
      const byte = chunk[index] ?? NUL;
      if ((byte === LF) !== (previous === CR)) fault = 'bareLineEnd';
      else if (byte === NUL) fault = 'nulByte';
      else if (byte !== CR) lineBytes = byte === LF ? 0 : lineBytes + 1;
      if (lineBytes > MAX_LINE_BYTES) fault = 'lineTooLong';
      previous = byte;
    }
    this.#fault = fault;
    this.#previous = previous;
    this.#lineBytes = lineBytes;
  }

  /** After the last chunk. */
  end(): WireFault | undefined {
    return this.#fault ?? (this.#previous === CR ? 'bareLineEnd' : undefined);
  }
}
