/** Messages one at a time into an idle system: how long after the 250 each is at the sink. One clock, one process. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createTransport } from 'nodemailer';
import { Arrivals, composeMessage } from '../world/arrivals.ts';
import { HOSTNAME, SENDER } from '../world/names.ts';
import { startNodeSink } from '../world/node-sink.ts';

const ARRIVAL_TIMEOUT_MS = 30_000;
const WARM_UP_MESSAGES = 50;

export interface LatencyLoad {
  messages: number;
  bodyBytes: number;
  /** Idle time before each message */
  pauseMs: number;
  recipient: string;
}

/** @returns milliseconds from the 250 until the whole message was at the sink, of each message */
export async function measureLatency(
  { intakePort, sinkPort }: { intakePort: number; sinkPort: number },
  load: LatencyLoad,
): Promise<number[]> {
  const arrivals = new Arrivals();
  const sink = await startNodeSink(sinkPort, arrivals.note);
  const transport = createTransport({
    pool: true,
    host: '127.0.0.1',
    port: intakePort,
    secure: false,
    ignoreTLS: true,
    name: HOSTNAME,
    maxConnections: 1,
    maxMessages: Number.POSITIVE_INFINITY,
  });
  try {
    const latencies: number[] = [];
    for (let number = 1; number <= WARM_UP_MESSAGES + load.messages; number++) {
      await sleep(load.pauseMs);
      const raw = composeMessage(number, load.recipient, load.bodyBytes);
      await transport.sendMail({ envelope: { from: SENDER, to: load.recipient }, raw });
      const acceptedAt = performance.now();
      const { firstAt } = await arrivals.waitFor(number, ARRIVAL_TIMEOUT_MS);
      if (number > WARM_UP_MESSAGES) latencies.push(firstAt - acceptedAt);
    }
    return latencies;
  } finally {
    transport.close();
    await sink.close();
  }
}
