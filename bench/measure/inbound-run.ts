/** One run of bench/inbound: mail by many sessions into a server that receives, and what it cost. */
import type { Receiver } from '../servers/inbound.ts';
import { type InboundLoad, sendLoad } from '../world/inbound-source.ts';
import { isTakingMail } from '../world/listening.ts';
import type { SignedMail } from '../world/signed-mail.ts';
import { waitUntil } from '../world/wait.ts';
import { perMessage, readCpuSeconds, shareOfOthers } from './cpu.ts';
import { type LatencySummary, summarizeLatencies } from './latency-summary.ts';
import { secondsSince } from './load-run.ts';
import { readMemory } from './memory.ts';

const WARM_UP_MESSAGES = 1_000;
/** Of memory in a run, as many messages apart */
const READINGS = 10;

export interface InboundRun {
  perSecond: number;
  latency: LatencySummary;
  cpuMs: Record<string, number>;
  othersShare: number;
  /** Bytes, by process: before, and at ten moments that are as many messages apart */
  memory: Record<string, number>[];
}

export class InboundMeasurement {
  readonly #compose: (number: number) => SignedMail;
  readonly #load: Omit<InboundLoad, 'firstNumber'>;
  #sent = 0;

  constructor(load: Omit<InboundLoad, 'firstNumber'>, compose: (number: number) => SignedMail) {
    this.#load = load;
    this.#compose = compose;
  }

  /** @throws when a message is refused, or when Postern has not kept and passed each that it accepted */
  async measure(server: Receiver): Promise<InboundRun> {
    await server.start();
    try {
      await waitUntil(`the greeting of ${server.name}`, () => isTakingMail(server.intakePort));
      await this.#send(server, WARM_UP_MESSAGES);
      const memory = [readMemory(server)];
      const step = Math.ceil(this.#load.messages / READINGS);
      const before = readCpuSeconds(server);
      const startedAt = performance.now();
      const latencies = await this.#send(server, this.#load.messages, (accepted) => {
        if (accepted % step === 0) memory.push(readMemory(server));
      });
      const seconds = secondsSince(startedAt);
      const after = readCpuSeconds(server);
      await server.verify(latencies.length + WARM_UP_MESSAGES);
      return {
        perSecond: latencies.length / seconds,
        latency: summarizeLatencies(latencies),
        cpuMs: perMessage(before, after, latencies.length),
        othersShare: shareOfOthers(before, after),
        memory,
      };
    } finally {
      await server.stop();
    }
  }

  async #send(
    { intakePort }: Receiver,
    messages: number,
    onAccepted: (count: number) => void = () => {},
  ): Promise<number[]> {
    const load = { ...this.#load, messages, firstNumber: this.#sent };
    this.#sent += messages;
    return sendLoad(intakePort, load, this.#compose, onAccepted);
  }
}
