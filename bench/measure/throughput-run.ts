/** One run of bench/throughput: start, warm up and look at a signature, send the load, stop. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { MailServer } from '../servers/mail-server.ts';
import { isTakingMail } from '../world/listening.ts';
import { startNodeSink } from '../world/node-sink.ts';
import { verifySignature } from '../world/signature.ts';
import { startSmtpSink } from '../world/smtp-sink.ts';
import { countMessages, type Load, planSource, runSource } from '../world/smtp-source.ts';
import { waitUntil } from '../world/wait.ts';
import { type LoadResult, measureLoad, waitForArrival } from './load-run.ts';

const WARM_UP_MESSAGES = 400;
/** The sink has seen the end of the last connection. */
const QUIET_MS = 500;

export interface RunResult extends LoadResult {
  /** SMTP connections at the sink. */
  connections: number;
}

export interface World {
  directory: string;
  sinkPort: number;
  /** What mail is signed with, PEM. */
  privateKey: string;
}

/** @throws when a message is lost, sent twice or not signed */
export async function measureRun(server: MailServer, load: Load, world: World): Promise<RunResult> {
  await server.start();
  try {
    await waitUntil(`the greeting of ${server.name}`, () => isTakingMail(server.intakePort));
    await warmUp(server, load, world);
    const sink = await startSmtpSink(world.directory, world.sinkPort);
    try {
      const measured = await measureLoad(server, load, sink);
      await server.stop(); // closes its connections: a connection is counted when it ends
      await sleep(QUIET_MS);
      return { ...measured, connections: sink.read().connections };
    } finally {
      await sink.stop();
    }
  } finally {
    await server.stop();
  }
}

/** @throws when mail leaves the server without a valid signature */
export async function warmUp(
  server: MailServer,
  load: Omit<Load, 'messages'>,
  { sinkPort, privateKey }: World,
): Promise<void> {
  let received = 0;
  let first: Buffer | undefined;
  const sink = await startNodeSink(sinkPort, (raw) => {
    received++;
    first ??= raw;
  });
  try {
    const plan = planSource({ ...load, messages: WARM_UP_MESSAGES });
    const sent = countMessages(plan);
    const reportedBefore = server.countReported();
    await Promise.all([
      runSource(plan, { port: server.intakePort, bodyBytes: load.bodyBytes }),
      waitForArrival(() => received, sent),
    ]);
    await server.settle(reportedBefore + sent);
    const verdict = first && (await verifySignature(first, privateKey));
    if (verdict !== 'pass') throw new Error(`${server.name} does not sign: dkim=${verdict}`);
  } finally {
    await sink.close();
  }
}
