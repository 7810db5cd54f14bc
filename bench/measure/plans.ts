/** How Postgres answers a request: the plans of its slow statements, as auto_explain logs them while the api runs. */
import { readFileSync, statSync } from 'node:fs';
import pg from 'pg';

const LOGGED_FROM_MS = 10;

/** Does `work`, and returns the plans of the statements that took longer than 10 ms meanwhile, the slowest first. */
export async function recordPlans(
  url: string,
  logFile: string,
  work: () => Promise<unknown>,
): Promise<string[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query("load 'auto_explain'");
  await client.query("alter system set session_preload_libraries = 'auto_explain'");
  for (const [name, value] of Object.entries(SETTINGS)) {
    await client.query(`alter system set auto_explain.${name} = ${value}`);
  }
  await startAnew(client);
  await work().catch(() => {}); // may be the one that finds its connection closed
  const start = statSync(logFile).size;
  await work();
  await client.query('alter system reset all');
  await startAnew(client);
  await client.end();
  return parsePlans(readFileSync(logFile).subarray(start).toString());
}

const SETTINGS = {
  log_min_duration: LOGGED_FROM_MS,
  log_analyze: 'on',
  log_buffers: 'on',
  log_timing: 'off',
};

/** Sessions read at their start what they preload; the api opens new ones. */
async function startAnew(client: pg.Client): Promise<void> {
  await client.query('select pg_reload_conf()');
  await client.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()`,
  );
}

/** From the server's log: a plan is an entry with its continued lines. Pure. */
export function parsePlans(log: string): string[] {
  const entries = log.matchAll(/duration: (?<ms>[\d.]+) ms {2}plan:\n(?<plan>(?:\t.*\n?)+)/g);
  return [...entries]
    .map(({ groups }) => ({ ms: Number(groups?.ms), plan: groups?.plan?.replaceAll(/^\t/gm, '') ?? '' }))
    .toSorted((a, b) => b.ms - a.ms)
    .map(({ ms, plan }) => `${ms.toFixed(1)} ms\n${plan.trimEnd()}`);
}
