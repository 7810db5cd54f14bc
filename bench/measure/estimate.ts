/** How long bench/throughput will take: from what it measured on a small machine (2 cores), rounded down. */
import type { ServerName } from '../servers/contestants.ts';
import type { Load } from '../world/smtp-source.ts';

const START_SECONDS = { postern: 8, postfix: 4 } as const;
/** Messages a second with many sessions, 4 KB. */
const USUAL_RATE = { postern: 300, postfix: 150 } as const;

export function estimateSeconds(
  loads: readonly Load[],
  servers: readonly ServerName[],
  runs: number,
): number {
  const one = (load: Load, server: ServerName) =>
    START_SECONDS[server] + (load.messages / USUAL_RATE[server]) * slowdown(load);
  return loads
    .flatMap((load) => servers.map((server) => one(load, server) * runs))
    .reduce((a, b) => a + b, 0);
}

function slowdown({ bodyBytes, sessions }: Load): number {
  return (bodyBytes > 20_000 ? 2.5 : 1) * (sessions === 1 ? 2 : 1);
}
