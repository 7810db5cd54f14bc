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
    for (let index = 0; index < chunk.length && !this.#fault; index += 1) {
      this.#readByte(chunk[index] ?? NUL);
    }
  }

  /** After the last chunk. */
  end(): WireFault | undefined {
    if (this.#previous === CR) this.#fault ??= 'bareLineEnd';
    return this.#fault;
  }

  #readByte(byte: number): void {
    if ((byte === LF) !== (this.#previous === CR)) {
      this.#fault = 'bareLineEnd';
    } else if (byte === NUL) {
      this.#fault = 'nulByte';
    } else if (byte === LF) {
      this.#lineBytes = 0;
    } else if (byte !== CR) {
      this.#lineBytes += 1;
      if (this.#lineBytes > MAX_LINE_BYTES) this.#fault = 'lineTooLong';
    }
    this.#previous = byte;
  }
}
