/** One run of bench/send: autocannon in a process of its own, and what it says. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Type from 'typebox';
import Value from 'typebox/value';
import { nodeBinary, projectRoot } from '../../deploy/local/installation.ts';
import type { ApiServer } from '../servers/api-server.ts';
import { runCommand } from '../servers/commands.ts';
import { SENDER } from '../world/names.ts';
import { readProcesses, selectTree, sumCpuSeconds } from './processes.ts';

export interface SendLoad {
  seconds: number;
  /** Requests at a time */
  connections: number;
  bodyBytes: number;
  /** Each request with an Idempotency-Key of its own */
  hasKeys: boolean;
}

export interface SendRun {
  acceptedPerSecond: number;
  latencyMs: { p50: number; p90: number; p99: number; max: number };
  /** Answers that were no 200, and requests without one */
  failed: number;
  /** CPU of each process, in milliseconds a message */
  cpuMs: Record<string, number>;
}

const resultSchema = Type.Object({
  '2xx': Type.Integer(),
  non2xx: Type.Integer(),
  errors: Type.Integer(),
  timeouts: Type.Integer(),
  duration: Type.Number(),
  latency: Type.Object({ p50: Type.Number(), p90: Type.Number(), p99: Type.Number(), max: Type.Number() }),
});

export async function measureSend(server: ApiServer, load: SendLoad): Promise<SendRun> {
  const file = join(server.settings.directory, 'request.json');
  writeFileSync(file, JSON.stringify(createRequest(load.bodyBytes)));
  const before = readCpu(server);
  const output = await runCommand(nodeBinary, [
    join(projectRoot, 'node_modules/autocannon/autocannon.js'),
    ...['--connections', String(load.connections), '--duration', String(load.seconds)],
    ...['--method', 'POST', '--input', file, '--json', '--no-progress'],
    ...['--headers', 'content-type=application/json', '--headers', `mailpace-server-token=${server.token}`],
    ...(load.hasKeys ? ['--idReplacement', '--headers', 'idempotency-key=[<id>]'] : []),
    `${server.url}/api/v1/send`,
  ]);
  const result = Value.Parse(resultSchema, JSON.parse(output));
  const accepted = result['2xx'];
  const { p50, p90, p99, max } = result.latency;
  return {
    acceptedPerSecond: accepted / result.duration,
    latencyMs: { p50, p90, p99, max },
    failed: result.non2xx + result.errors + result.timeouts,
    cpuMs: perMessage(before, readCpu(server), accepted),
  };
}

export function formatSendRun({ acceptedPerSecond, latencyMs, failed, cpuMs }: SendRun): string {
  const latencies = Object.entries(latencyMs).map(([name, ms]) => `${name} ${ms} ms`);
  const cpu = Object.entries(cpuMs).map(([name, ms]) => `${name} ${ms.toFixed(2)}`);
  return [
    `${acceptedPerSecond.toFixed(0).padStart(5)}/s   ${latencies.join('   ')}`,
    ...(failed > 0 ? [`        ${failed} failed`] : []),
    `        CPU ms a message: ${cpu.join(', ')}`,
  ].join('\n');
}

function createRequest(bodyBytes: number): object {
  const textbody = 'All work and no play makes a dull benchmark.\n'.repeat(bodyBytes / 45 + 1);
  return { from: SENDER, to: 'rcpt@example.com', subject: 'bench', textbody: textbody.slice(0, bodyBytes) };
}

function readCpu({ pids }: ApiServer): Record<string, number> {
  const processes = readProcesses();
  return Object.fromEntries(
    Object.entries(pids).map(([name, pid]) => [name, sumCpuSeconds(selectTree(processes, pid))]),
  );
}

/** Pure: the difference of two readings, spread over the messages. */
export function perMessage(
  before: Record<string, number>,
  after: Record<string, number>,
  messages: number,
): Record<string, number> {
  return Object.fromEntries(
    Object.entries(after).map(([name, seconds]) => [
      name,
      messages === 0 ? 0 : ((seconds - (before[name] ?? 0)) * 1000) / messages,
    ]),
  );
}
