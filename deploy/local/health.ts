/** Waits until every process says that it is well. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Settings } from '../../config/schema.ts';

const REQUEST_TIMEOUT_MS = 3_000;
const POLL_MS = 250;
/** Asking pm2 costs a process: not at every poll. */
const POLLS_PER_QUESTION = 8;

export interface Endpoint {
  /** Name of the process in ecosystem.config.cjs */
  name: string;
  url: string;
}

/** The health addresses of the processes that have one. */
export function listHealthEndpoints(settings: Settings): Endpoint[] {
  const { api, worker, gateway, mta, inbound, sandbox, spam, environment } = settings;
  const ports: [string, number][] = [
    ['worker', worker.port],
    ['gateway', gateway.monitorPort],
    ['mta', mta.controlPort],
    ['inbound', inbound.monitorPort],
  ];
  if (environment !== 'production') ports.push(['sandbox', sandbox.httpPort]);
  const endpoints = ports.map(([name, port]) => ({ name, url: `http://127.0.0.1:${port}/health` }));
  endpoints.unshift({ name: 'api', url: `http://${addressOf(api.host)}:${api.port}/health` });
  if (spam.engine === 'rspamd') endpoints.push({ name: 'rspamd', url: new URL('/ping', spam.url).href });
  return endpoints;
}

/** How this machine reaches a listener of its own. */
function addressOf(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}

/** Why the process is not well, in one line; undefined where it is. */
export async function explainRed({ url }: Endpoint): Promise<string | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) });
    if (response.ok) return undefined;
    return `answers ${response.status}: ${describeChecks(await response.text())}`;
  } catch (error) {
    const { cause, message } = error as Error & { cause?: NodeJS.ErrnoException };
    return cause?.code === 'ECONNREFUSED' ? 'does not listen yet' : (cause?.message ?? message);
  }
}

/**
 * Asks all endpoints until they are green.
 * @param options.onChange called when the set of red ones changes
 * @param options.hasGivenUp says whether waiting longer is in vain
 * @returns what is still red, by name; empty when all is well
 */
export async function waitForHealth(
  endpoints: Endpoint[],
  options: {
    deadlineMs: number;
    signal: AbortSignal;
    onChange: (red: ReadonlyMap<string, string>) => void;
    hasGivenUp: (red: string[]) => Promise<boolean>;
  },
): Promise<Map<string, string>> {
  const deadline = Date.now() + options.deadlineMs;
  let shown = '';
  for (let polls = 1; ; polls += 1) {
    const red = new Map<string, string>();
    const reasons = await Promise.all(endpoints.map(explainRed));
    for (const [index, { name }] of endpoints.entries()) {
      const reason = reasons[index];
      if (reason) red.set(name, reason);
    }
    if (red.size === 0 || Date.now() > deadline) return red;
    const names = [...red.keys()];
    if (names.join() !== shown) options.onChange(red);
    shown = names.join();
    if (polls % POLLS_PER_QUESTION === 0 && (await options.hasGivenUp(names))) return red;
    await sleep(POLL_MS, undefined, { signal: options.signal });
  }
}

/** Of `{checks: {name: 'ok' | reason}}` (lib/monitor.ts) the reasons; of anything else its beginning. */
function describeChecks(body: string): string {
  try {
    const { checks } = JSON.parse(body) as { checks: Record<string, string> };
    const failing = Object.entries(checks).filter(([, result]) => result !== 'ok');
    return failing.map(([name, reason]) => `${name}: ${reason}`).join('; ');
  } catch {
    return body.slice(0, 200);
  }
}
