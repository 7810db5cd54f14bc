/**
 * Rows as COPY writes them in its text format: one a line, since a line break within a value is written as \n. What a table
 * holds is told by the number of its rows and the sum of their digests: the same whatever their order.
 */
import { hash } from 'node:crypto';

export interface Fingerprint {
  rows: number;
  /** Sum of the first 8 bytes of the SHA-256 of each row, modulo 2^64, in hex */
  digest: string;
}

const LINE_FEED = 10;
const EMPTY = Buffer.alloc(0);

export class RowCounter {
  #rows = 0;
  #sum = 0n;
  /** Of a row that goes on: in pieces, since one of many megabytes comes in thousands */
  #rest: Buffer[] = [];

  /** @returns the whole rows that end in it, with what was left over before */
  take(chunk: Buffer): Buffer {
    const end = chunk.lastIndexOf(LINE_FEED) + 1;
    if (end === 0) {
      if (chunk.length > 0) this.#rest.push(chunk);
      return EMPTY;
    }
    const whole = Buffer.concat([...this.#rest, chunk.subarray(0, end)]);
    this.#rest = end < chunk.length ? [Buffer.from(chunk.subarray(end))] : [];
    this.#count(whole);
    return whole;
  }

  /** @throws where there is half a row */
  finish(): Fingerprint {
    if (this.#rest.length > 0) throw new Error('the rows end in the middle of one');
    return { rows: this.#rows, digest: BigInt.asUintN(64, this.#sum).toString(16).padStart(16, '0') };
  }

  #count(whole: Buffer): void {
    for (let start = 0; start < whole.length; ) {
      const end = whole.indexOf(LINE_FEED, start);
      this.#sum += hash('sha256', whole.subarray(start, end), 'buffer').readBigUInt64BE();
      this.#rows++;
      start = end + 1;
    }
  }
}
