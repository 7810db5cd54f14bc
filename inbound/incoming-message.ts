/**
 * The message of one transaction, byte for byte as the client sent it: Haraka keeps header fields as text, which
 * changes bytes that are not UTF-8.
 *
 * It also says what ends a message: <CRLF>.<CRLF> and nothing else. Haraka splits at every LF; a bare LF, a bare CR
 * and a NUL are faults here, and a dot between bare line ends is content (SM-1 to SM-12).
 */
import type { MemoryBudget } from '../lib/memory-budget.ts';
import type { ReplyName } from './replies.ts';

const DOT = 0x2e;
const LF = 0x0a;
const CR = 0x0d;

/** A To field may name a thousand people, a line each. */
export const MAX_HEADER_LINES = 5_000;
export const MAX_HEADER_BYTES = 512 * 1024;

export type MessageFault = Extract<
  ReplyName,
  'bareLineEnd' | 'nulByte' | 'lineTooLong' | 'headerTooLarge' | 'messageTooLarge' | 'memoryFull'
>;

export class IncomingMessage {
  readonly #maxBytes: number;
  readonly #budget: MemoryBudget;
  #lines: Buffer[] = [];
  #bytes = 0;
  #takenBytes = 0;
  #headerLines = 0;
  #isHeader = true;
  /** Whether the line before ended as lines do: only then can the next be the end. */
  #isLineStart = true;
  #fault: MessageFault | undefined;

  constructor(maxBytes: number, budget: MemoryBudget) {
    this.#maxBytes = maxBytes;
    this.#budget = budget;
  }

  /** The first; a message that has one is refused at its end, and nothing of it is kept. */
  get fault(): MessageFault | undefined {
    return this.#fault;
  }

  /** All that came in so far */
  get receivedBytes(): number {
    return this.#bytes;
  }

  /**
   * @param line with its LF, and the dot that stands in front of a dot (RFC 5321 4.5.2)
   * @returns whether it is the end of the message
   */
  push(line: Buffer): boolean {
    const isAtLineStart = this.#isLineStart;
    const endsWithCrlf = line.length > 1 && line[line.length - 2] === CR && line[line.length - 1] === LF;
    this.#isLineStart = endsWithCrlf;
    if (isAtLineStart && endsWithCrlf && line.length === 3 && line[0] === DOT) return true;
    this.#bytes += line.length;
    if (this.#fault) return false;
    const fault = this.#judge(line, endsWithCrlf);
    if (fault) this.refuse(fault);
    else this.#keep(line);
    return false;
  }

  refuse(fault: MessageFault): void {
    this.#fault ??= fault;
    this.release();
  }

  /** The whole message, without the dots of the wire */
  content(): Buffer {
    return Buffer.concat(this.#lines);
  }

  /** Gives the memory back. */
  release(): void {
    this.#lines = [];
    this.#budget.giveBack(this.#takenBytes);
    this.#takenBytes = 0;
  }

  #judge(line: Buffer, endsWithCrlf: boolean): MessageFault | undefined {
    if (!endsWithCrlf || line.indexOf(CR) !== line.length - 2) return 'bareLineEnd';
    if (line.includes(0)) return 'nulByte';
    if (this.#bytes > this.#maxBytes) return 'messageTooLarge';
    if (!this.#isHeader) return undefined;
    this.#headerLines += 1;
    if (line.length === 2) this.#isHeader = false;
    const isTooLarge = this.#headerLines > MAX_HEADER_LINES || this.#bytes > MAX_HEADER_BYTES;
    return this.#isHeader && isTooLarge ? 'headerTooLarge' : undefined;
  }

  #keep(line: Buffer): void {
    if (!this.#budget.take(line.length)) {
      this.refuse('memoryFull');
      return;
    }
    this.#takenBytes += line.length;
    // A copy: the line is a part of what was read from the socket, all of which would stay in memory.
    this.#lines.push(Buffer.from(line[0] === DOT ? line.subarray(1) : line));
  }
}
