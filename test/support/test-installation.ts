/**
 * The settings file of a test stack: the defaults on a block of free ports of its own, and delays short enough to
 * wait for. The block lies below 32768, where Linux begins to hand out ports to outgoing connections.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { stringify } from 'smol-toml';
import Value from 'typebox/value';
import { type Settings, settingsSchema } from '../../config/schema.ts';
import { DEMO_DOMAIN } from '../../deploy/local/demo.ts';
import { explainTakenPort } from '../../deploy/local/ports.ts';

/** Of a collector of traces, as OpenTelemetry has it */
const OTLP_PORT = 4318;
const OFFSETS = [16_000, 15_000, 14_000, 13_000, 12_000, 11_000, 10_000];
/** What a process connects to, not what it listens on. */
const REMOTE = new Set(['remotePort', 'policyPort']);

type Tree = Record<string, unknown>;

/** Writes postern.toml with the first block of ports that is wholly free. Throws where none is. */
export async function writeTestSettings(file: string, { hasRspamd }: { hasRspamd: boolean }): Promise<void> {
  for (const offset of OFFSETS) {
    const { tree, ports } = shiftDefaults(offset, hasRspamd ? 'rspamd' : 'none');
    const reasons = await Promise.all(
      ports.map((port) => explainTakenPort({ process: 'test', host: '127.0.0.1', port, transport: 'tcp' })),
    );
    if (reasons.some((reason) => reason !== undefined)) continue;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, stringify(tree));
    return;
  }
  throw new Error('no block of free ports: another test run may be under way');
}

function shiftDefaults(offset: number, engine: Settings['spam']['engine']): { tree: Tree; ports: number[] } {
  const defaults = Value.Default(settingsSchema, {}) as Settings;
  const ports: number[] = [];
  const shift = (port: number) => {
    ports.push(port + offset);
    return port + offset;
  };
  const shiftUrl = (url: string) => {
    const parsed = new URL(url);
    parsed.port = String(Number(parsed.port) + offset);
    return parsed.pathname === '/' ? parsed.origin : parsed.href;
  };
  const tree: Record<string, Tree> = {};
  for (const [section, values] of Object.entries(defaults)) {
    if (typeof values !== 'object') continue;
    const shifted = Object.entries(values as Tree).flatMap(([key, value]) =>
      /port$/i.test(key) && typeof value === 'number' && !REMOTE.has(key) ? [[key, shift(value)]] : [],
    );
    if (shifted.length > 0) tree[section] = Object.fromEntries(shifted) as Tree;
  }
  ports.push(
    Number(new URL(shiftUrl(defaults.database.url)).port),
    Number(new URL(shiftUrl(defaults.redis.url)).port),
    Number(new URL(shiftUrl(defaults.spam.url)).port),
    Number(new URL(shiftUrl(defaults.spam.controllerUrl)).port),
  );
  // A request that asks for it is traced, and nothing else.
  const tracing = { endpoint: `http://127.0.0.1:${shift(OTLP_PORT)}/v1/traces`, ratio: 0 };
  return {
    ports,
    tree: {
      environment: 'test',
      instanceId: 'test',
      ...tree,
      api: { ...tree.api, url: shiftUrl(defaults.api.url) },
      database: { url: shiftUrl(defaults.database.url) },
      redis: { url: shiftUrl(defaults.redis.url) },
      gateway: { ...tree.gateway, certificateCheckSeconds: 1 },
      spam: {
        engine,
        url: shiftUrl(defaults.spam.url),
        controllerUrl: shiftUrl(defaults.spam.controllerUrl),
      },
      tracing,
      tlsReports: { from: `tls-reports@${DEMO_DOMAIN}` },
      webhooks: { allowHttp: true, allowLoopback: true },
      queue: {
        url: shiftUrl(defaults.queue.url),
        leaseSeconds: 5,
        retryDelaysSeconds: [1, 2, 2, 4, 4, 8],
      },
    },
  };
}
