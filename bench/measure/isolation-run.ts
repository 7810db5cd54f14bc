/** The phases of bench/isolation: without a dead destination, beside one that refuses, beside a silent one, without. */
import { createControlApi } from '../../bin/control-api.ts';
import type { Settings } from '../../config/schema.ts';
import type { MailServer } from '../servers/mail-server.ts';
import { openBacklog } from '../world/backlog.ts';
import { listDestinations } from '../world/names.ts';
import { startSilentMx } from '../world/silent-mx.ts';
import { DEAD_DOMAIN, makeTemplate } from '../world/template.ts';
import { waitUntil } from '../world/wait.ts';
import { perMessage, readCpuSeconds, shareOfOthers } from './cpu.ts';
import { measureLatency } from './latency-run.ts';
import { formatLatencies, type LatencySummary, summarizeLatencies } from './latency-summary.ts';
import { percentile } from './statistics.ts';

const LONGEST_MS = 600_000;
const ALLOWED = 1.2;
/** Until they are flushed. */
const LATER_SECONDS = 86_400;
const ALL_DEAD = { selector: { domain: DEAD_DOMAIN }, reason: 'bench/isolation' };

export interface IsolationPlan {
  /** Messages to the dead destination */
  waiting: number;
  /** Messages to the other one, in each phase */
  messages: number;
  pauseMs: number;
  bodyBytes: number;
}

export interface IsolationRow {
  name: string;
  /** Whether the dead destination was there. */
  isBeside: boolean;
  latenciesMs: number[];
  summary: LatencySummary;
  /** Of the mta's processes, a message to the other destination */
  cpuMs: Record<string, number>;
  othersShare: number;
}

export async function measureIsolation(
  server: MailServer,
  {
    settings,
    sinkPort,
    plan,
    onPhase,
    onRow,
  }: {
    settings: Settings;
    sinkPort: number;
    plan: IsolationPlan;
    onPhase(name: string): void;
    onRow(row: IsolationRow): void;
  },
): Promise<void> {
  const { intakePort } = server;
  const count = plan.waiting.toLocaleString('en');
  const measure = async (name: string, isBeside: boolean) => {
    onPhase(`${plan.messages} messages, ${name}`);
    onRow(await measurePhase(server, { name, isBeside, sinkPort, plan }));
  };
  await makeTemplate({ intakePort, queueUrl: settings.queue.url, bodyBytes: plan.bodyBytes });
  await measure('alone', false);

  const writer = await openBacklog(settings.queue.url);
  const later = { dueInSeconds: LATER_SECONDS, spreadSeconds: 0 };
  await writer.add({ count: plan.waiting, domains: [DEAD_DOMAIN], ...later });
  await writer.settle();
  await flush(settings);
  await measure(`beside ${count} to a host that refuses`, true);

  const silent = await startSilentMx(sinkPort);
  await flush(settings);
  await measure(`beside ${count} to a host that is silent`, true);

  await silent.close();
  const reportedBefore = server.countReported();
  await act(settings, 'cancellations', ALL_DEAD);
  await waitUntil('the outbox to be empty', () => isReported(settings), { timeoutMs: LONGEST_MS });
  await writer.settle();
  await writer.close();
  await server.settle(reportedBefore);
  await measure('alone again', false);
}

/** Makes them due, and lets the host be tried as if it had never failed. */
async function flush(settings: Settings): Promise<void> {
  await act(settings, 'flushes', { selector: { domain: DEAD_DOMAIN } });
}

async function act(settings: Settings, verb: 'flushes' | 'cancellations', body: object): Promise<void> {
  const result = await createControlApi(settings).act(verb, body);
  if (!result.ok) throw new Error(`${verb}: ${result.reason}`);
}

async function isReported(settings: Settings): Promise<boolean> {
  const result = await createControlApi(settings).readDiagnosis();
  return result.ok && result.value.outbox.events === 0;
}

async function measurePhase(
  server: MailServer,
  {
    name,
    isBeside,
    sinkPort,
    plan,
  }: { name: string; isBeside: boolean; sinkPort: number; plan: IsolationPlan },
): Promise<IsolationRow> {
  const [recipientDomain = ''] = listDestinations(1);
  const before = readCpuSeconds(server, process.pid);
  const latenciesMs = await measureLatency(
    { intakePort: server.intakePort, sinkPort },
    { ...plan, recipient: `rcpt@${recipientDomain}` },
  );
  const after = readCpuSeconds(server, process.pid);
  return {
    ...{ name, isBeside, latenciesMs, summary: summarizeLatencies(latenciesMs) },
    cpuMs: perMessage(before, after, plan.messages),
    othersShare: shareOfOthers(before, after),
  };
}

/** The p99 of all that was measured beside the dead destination, by that of what was measured without. */
export function isIsolated(rows: readonly IsolationRow[]): boolean {
  return (
    ratioOf(
      rows.filter(({ isBeside }) => isBeside),
      rows,
    ) <= ALLOWED
  );
}

export function formatIsolation(row: IsolationRow, rows: readonly IsolationRow[]): string {
  const { name, summary, cpuMs, othersShare } = row;
  const ratio = row.isBeside ? `; p99 by that alone ${ratioOf([row], rows).toFixed(2)}` : '';
  const roles = ['master', 'receiver', 'sender', 'postgres'] as const;
  const cpu = roles.map((role) => `${role} ${(cpuMs[role] ?? 0).toFixed(1)}`).join(', ');
  return [
    `${name}`,
    `  ${formatLatencies(summary)}${ratio}`,
    `  CPU ms a message: ${cpu}; others used ${Math.round(othersShare * 100)} % of the machine`,
  ].join('\n');
}

function ratioOf(beside: readonly IsolationRow[], rows: readonly IsolationRow[]): number {
  const p99 = (group: readonly IsolationRow[]) =>
    percentile(
      group.flatMap(({ latenciesMs }) => latenciesMs),
      0.99,
    );
  return p99(beside) / p99(rows.filter(({ isBeside }) => !isBeside));
}
