/** Numbered messages: written into a header field at the source, read at the sink. */
import { setTimeout as sleep } from 'node:timers/promises';
import { SENDER } from './names.ts';

const FIELD = 'X-Bench-Number';
const LINE = `${'x'.repeat(76)}\r\n`;

export interface Arrival {
  /** performance.now() of its first copy. */
  firstAt: number;
  copies: number;
}

/** @param bodyBytes rounded up to whole lines */
export function composeMessage(number: number, recipient: string, bodyBytes: number): Buffer {
  const header = [
    `${FIELD}: ${number}`,
    `From: <${SENDER}>`,
    `To: <${recipient}>`,
    `Date: ${new Date().toUTCString().replace('GMT', '+0000')}`,
    `Message-ID: <${number}.${process.pid}@bench.postern.test>`,
    'Subject: Bench',
    '\r\n',
  ].join('\r\n');
  return Buffer.from(header + LINE.repeat(Math.ceil(bodyBytes / LINE.length)));
}

/** Undefined: not one of ours. */
export function readNumber(raw: Buffer): number | undefined {
  const head = raw.toString('latin1', 0, 16_384);
  const number = new RegExp(`^${FIELD}: (\\d+)\r\n`, 'm').exec(head)?.[1];
  return number === undefined ? undefined : Number(number);
}

/** What has come to the sink. */
export class Arrivals {
  readonly byNumber = new Map<number, Arrival>();

  readonly note = (raw: Buffer): void => {
    const now = performance.now();
    const number = readNumber(raw);
    if (number === undefined) return;
    const arrival = this.byNumber.get(number);
    if (arrival) arrival.copies++;
    else this.byNumber.set(number, { firstAt: now, copies: 1 });
  };

  /** @throws when it has not come within the time */
  async waitFor(number: number, timeoutMs: number): Promise<Arrival> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const arrival = this.byNumber.get(number);
      if (arrival) return arrival;
      if (performance.now() > deadline) throw new Error(`message ${number} has not arrived`);
      await sleep(2);
    }
  }
}
