/** Sends a load through a mail server that runs, waits until all has arrived, and counts. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { MailServer } from '../servers/mail-server.ts';
import type { SmtpSink } from '../world/smtp-sink.ts';
import { countMessages, type Load, planSource, runSource } from '../world/smtp-source.ts';
import { perMessage, readCpuSeconds, shareOfOthers } from './cpu.ts';

const POLL_MS = 10;
/** Without a message at the sink for this long, something is lost. */
const STALL_SECONDS = 30;
/** A second copy would arrive within this time. */
const QUIET_MS = 500;

export interface LoadResult {
  messages: number;
  acceptedPerSecond: number;
  deliveredPerSecond: number;
  cpuMs: Record<string, number>;
  /** Of the machine's CPU, 0 to 1, used by processes that are no part of the measurement. */
  othersShare: number;
}

/** @throws when a message is refused, lost or sent twice */
export async function measureLoad(server: MailServer, load: Load, sink: SmtpSink): Promise<LoadResult> {
  const plan = planSource(load);
  const messages = countMessages(plan);
  const reportedBefore = server.countReported();
  const arrivedBefore = sink.read().messages;
  const arrived = () => sink.read().messages - arrivedBefore;
  const cpuBefore = readCpuSeconds(server, sink.pid);
  const startedAt = performance.now();
  const [acceptedSeconds, deliveredSeconds] = await Promise.all([
    runSource(plan, { port: server.intakePort, bodyBytes: load.bodyBytes }).then(() =>
      secondsSince(startedAt),
    ),
    waitForArrival(arrived, messages).then(() => secondsSince(startedAt)),
  ]);
  await server.settle(reportedBefore + messages);
  const cpuAfter = readCpuSeconds(server, sink.pid);
  await sleep(QUIET_MS);
  if (arrived() !== messages) throw new Error(`${server.name}: ${messages} sent, ${arrived()} arrived`);
  return {
    messages,
    acceptedPerSecond: messages / acceptedSeconds,
    deliveredPerSecond: messages / deliveredSeconds,
    cpuMs: perMessage(cpuBefore, cpuAfter, messages),
    othersShare: shareOfOthers(cpuBefore, cpuAfter),
  };
}

/** @throws when nothing more arrives */
export async function waitForArrival(count: () => number, messages: number): Promise<void> {
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

export function secondsSince(moment: number): number {
  return (performance.now() - moment) / 1000;
}
