import type { Command } from 'commander';
import type { Settings } from '../../config/schema.ts';
import { explainRed, listHealthEndpoints } from '../../deploy/local/health.ts';
import { runCommand } from './context.ts';

const TIMEOUT_MS = 3_000;
const QUEUE_METRIC = /^postern_queue_deliveries\{state="(?<state>\w+)"\} (?<count>\d+)$/;

export function addStatusCommand(program: Command): void {
  program
    .command('status')
    .description('What is up, and what waits in the queue. Exit code 1 when something is down.')
    .action((_options, command: Command) =>
      runCommand(command, async ({ settings, print, directory }) => {
        const effective = settings();
        const [processes, queue] = await Promise.all([askProcesses(effective), countQueue(effective)]);
        print({ processes, queue }, format(processes, queue, directory));
        if (processes.some(({ status }) => status === 'down')) process.exitCode = 1;
      }),
    );
}

interface ProcessStatus {
  name: string;
  status: 'up' | 'down';
  reason: string | null;
}

async function askProcesses(settings: Settings): Promise<ProcessStatus[]> {
  return Promise.all(
    listHealthEndpoints(settings).map(async (endpoint) => {
      const reason = (await explainRed(endpoint)) ?? null;
      return { name: endpoint.name, status: reason === null ? ('up' as const) : ('down' as const), reason };
    }),
  );
}

/** Deliveries by state, from the metrics of the mta; null while it cannot be asked. */
async function countQueue({ mta }: Settings): Promise<Record<string, number> | null> {
  try {
    const response = await fetch(`http://127.0.0.1:${mta.controlPort}/metrics`, {
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const lines = (await response.text()).split('\n');
    return Object.fromEntries(
      lines.flatMap((line) => {
        const { state, count } = QUEUE_METRIC.exec(line)?.groups ?? {};
        return state ? [[state, Number(count)]] : [];
      }),
    );
  } catch {
    return null; // the process list says why
  }
}

function format(processes: ProcessStatus[], queue: Record<string, number> | null, directory: string): string {
  const lines = processes.map(
    ({ name, status, reason }) => `${name.padEnd(10)} ${status}${reason ? `: ${reason}` : ''}`,
  );
  const counts = Object.entries(queue ?? {}).map(([state, count]) => `${count} ${state}`);
  lines.push(`${'queue'.padEnd(10)} ${queue ? counts.join(', ') || 'empty' : 'cannot be asked'}`);
  if (processes.some(({ status }) => status === 'down')) {
    lines.push(`bin/up starts what is down; the logs are in ${directory}/log.`);
  }
  return lines.join('\n');
}
