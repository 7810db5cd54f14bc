/** An installation of Postern for a benchmark: defaults, with ports and secrets of its own. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'smol-toml';
import { readSettings } from '../../config/load.ts';
import type { Settings } from '../../config/schema.ts';
import { findFreePorts } from '../world/directory.ts';
import { HOSTNAME } from '../world/names.ts';

/** `section.key` and the value, as it stands in postern.toml. */
export type Override = readonly [name: string, value: unknown];

type Section = Record<string, unknown>;

export async function createInstallation(
  directory: string,
  { sinkPort, overrides }: { sinkPort: number; overrides: readonly Override[] },
): Promise<Settings> {
  for (const name of ['', 'redis', 'log']) mkdirSync(join(directory, name), { recursive: true, mode: 0o711 });
  const [intake = 0, api = 0, queueServer = 0, control = 0, dns = 0, postgres = 0, redis = 0, rpc = 0] =
    await findFreePorts(8);
  const sections: Record<string, Section> = {
    mta: { intakePort: intake, apiPort: api, queueServerPort: queueServer, controlPort: control },
    sandbox: { dnsPort: dns, smtpPort: sinkPort },
    api: { port: rpc, url: `http://127.0.0.1:${rpc}` },
    queue: { url: `postgres://postern:postern@127.0.0.1:${postgres}/postern_queue` },
    database: { url: `postgres://postern:postern@127.0.0.1:${postgres}/postern` },
    redis: { url: `redis://127.0.0.1:${redis}/0` },
    // Postfix has none: a site that is new would get 50 a second. `--set pacing.enabled=true`, or bench/throughput --pacing.
    pacing: { enabled: false },
  };
  for (const [name, value] of overrides) {
    const [section = '', key = ''] = name.split('.');
    sections[section] = { ...sections[section], [key]: value };
  }
  const general = { environment: 'test', instanceId: 'bench', hostname: HOSTNAME };
  writeFileSync(join(directory, 'postern.toml'), stringify({ ...general, ...sections }));
  const secrets = {
    POSTERN_SECRET_KEY: randomBytes(32).toString('base64'),
    POSTERN_SERVICE_TOKEN: randomBytes(24).toString('hex'),
    POSTERN_INTAKE_PASSWORD: randomBytes(24).toString('hex'),
  };
  const lines = Object.entries(secrets).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(join(directory, 'postern.env'), lines.join(''), { mode: 0o600 });
  const result = readSettings({ POSTERN_DIRECTORY: directory });
  if (!result.ok) throw new Error(result.problems.join('; '));
  return result.settings;
}
