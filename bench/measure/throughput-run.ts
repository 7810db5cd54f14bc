/** One run of bench/throughput: warm up and look at a signature, send, wait until all has arrived, count. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { MailServer } from '../servers/mail-server.ts';
import { isTakingMail } from '../world/listening.ts';
import { startNodeSink } from '../world/node-sink.ts';
import { verifySignature } from '../world/signature.ts';
import { type SmtpSink, startSmtpSink } from '../world/smtp-sink.ts';
import { countMessages, type Load, planSource, runSource } from '../world/smtp-source.ts';
import { waitUntil } from '../world/wait.ts';
import { readProcesses, selectTree, sumCpuSeconds } from './processes.ts';

const WARM_UP_MESSAGES = 400;
const POLL_MS = 10;
/** Without a message at the sink for this long, something is lost. */
const STALL_SECONDS = 30;
/** A second copy would arrive within this time. */
const QUIET_MS = 500;

export interface RunResult {
  messages: number;
  acceptedPerSecond: number;
  deliveredPerSecond: number;
  /** SMTP connections at the sink. */
  connections: number;
  /** Milliseconds of CPU a message, by process; `total` is the mail server's, without source, sink and bench. */
  cpuMs: Record<string, number>;
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
    const sentBefore = await warmUp(server, load, world);
    const sink = await startSmtpSink(world.directory, world.sinkPort);
    try {
      const measured = await measureLoad(server, load, sink, sentBefore);
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

/** @returns how many messages it sent */
async function warmUp(server: MailServer, load: Load, { sinkPort, privateKey }: World): Promise<number> {
  let received = 0;
  let first: Buffer | undefined;
  const sink = await startNodeSink(sinkPort, (raw) => {
    received++;
    first ??= raw;
  });
  try {
    const plan = planSource({ ...load, messages: WARM_UP_MESSAGES });
    const sent = countMessages(plan);
    await Promise.all([
      runSource(plan, { port: server.intakePort, bodyBytes: load.bodyBytes }),
      waitForArrival(() => received, sent),
    ]);
    await server.settle(sent);
    const verdict = first && (await verifySignature(first, privateKey));
    if (verdict !== 'pass') throw new Error(`${server.name} does not sign: dkim=${verdict}`);
    return sent;
  } finally {
    await sink.close();
  }
}

async function measureLoad(
  server: MailServer,
  load: Load,
  sink: SmtpSink,
  sentBefore: number,
): Promise<Omit<RunResult, 'connections'>> {
  const plan = planSource(load);
  const messages = countMessages(plan);
  const cpuBefore = readCpuSeconds(server, sink);
  const startedAt = performance.now();
  const [acceptedSeconds, deliveredSeconds] = await Promise.all([
    runSource(plan, { port: server.intakePort, bodyBytes: load.bodyBytes }).then(() =>
      secondsSince(startedAt),
    ),
    waitForArrival(() => sink.read().messages, messages).then(() => secondsSince(startedAt)),
  ]);
  await server.settle(sentBefore + messages);
  const cpuAfter = readCpuSeconds(server, sink);
  await sleep(QUIET_MS);
  const arrived = sink.read().messages;
  if (arrived !== messages) throw new Error(`${server.name}: ${messages} sent, ${arrived} arrived`);
  return {
    messages,
    acceptedPerSecond: messages / acceptedSeconds,
    deliveredPerSecond: messages / deliveredSeconds,
    cpuMs: perMessage(cpuBefore, cpuAfter, messages),
  };
}

/** @throws when nothing more arrives */
async function waitForArrival(count: () => number, messages: number): Promise<void> {
  let arrived = 0;
  let lastArrivalAt = performance.now();
  while (arrived < messages) {
    await sleep(POLL_MS);
    const now = count();
    if (now > arrived) lastArrivalAt = performance.now();
    else if (secondsSince(lastArrivalAt) > STALL_SECONDS)
      throw new Error(`${arrived} of ${messages} arrived`);
    arrived = now;
  }
}

function secondsSince(moment: number): number {
  return (performance.now() - moment) / 1000;
}

interface CpuSeconds {
  server: Record<string, number>;
  around: Record<string, number>;
}

/** `bench` is this process: DNS, the api's part, and looking at the sink's counters. */
function readCpuSeconds(server: MailServer, sink: SmtpSink): CpuSeconds {
  const processes = readProcesses();
  const self = processes.find(({ pid }) => pid === process.pid);
  return {
    server: server.readCpuSeconds(),
    around: {
      source: self?.endedChildrenCpuSeconds ?? 0,
      sink: sumCpuSeconds(selectTree(processes, sink.pid)),
      bench: self?.cpuSeconds ?? 0,
    },
  };
}

/** Milliseconds of CPU a message. */
export function perMessage(before: CpuSeconds, after: CpuSeconds, messages: number): RunResult['cpuMs'] {
  const used = (earlier: Record<string, number>, later: Record<string, number>) =>
    Object.entries(later).map(
      ([name, seconds]) => [name, ((seconds - (earlier[name] ?? 0)) * 1000) / messages] as const,
    );
  const ofServer = used(before.server, after.server);
  const total = ofServer.reduce((sum, [, milliseconds]) => sum + milliseconds, 0);
  return Object.fromEntries([['total', total], ...ofServer, ...used(before.around, after.around)]);
}
