/**
 * Reads the settings once, checks all of them, and freezes them.
 *
 * Where a value comes from, the later wins: schema default, `postern.toml`, `postern.env`, the environment.
 * `postern.env` holds KEY=VALUE lines with the secrets; it must not be readable by others.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { parse as parseToml } from 'smol-toml';
import Value from 'typebox/value';
import { describeError } from './describe-error.ts';
import { environmentVariables } from './environment.ts';
import { type Settings, settingsSchema } from './schema.ts';
import { findSecretProblems } from './secrets.ts';
import { findStorageProblems } from './storage.ts';
import { findWebhookProblems } from './webhooks.ts';

/** EX_CONFIG of sysexits.h */
const EXIT_CONFIGURATION = 78;

type Environment = Readonly<Record<string, string | undefined>>;
type Tree = Record<string, unknown>;

export type LoadResult = { ok: true; settings: Settings } | { ok: false; problems: string[] };

/** The settings of this process. Prints every problem to stderr and exits 78 when there is one. */
export function loadSettings(environment: Environment = process.env): Settings {
  const result = readSettings(environment);
  if (result.ok) return result.settings;
  process.stderr.write(`postern: the configuration has ${result.problems.length} problem(s):\n`);
  for (const problem of result.problems) process.stderr.write(`  - ${problem}\n`);
  process.exit(EXIT_CONFIGURATION);
}

/** As loadSettings, with the problems as a value. Reads files, changes nothing. */
export function readSettings(environment: Environment): LoadResult {
  const problems: string[] = [];
  const directory = resolve(environment.POSTERN_DIRECTORY ?? 'var');
  const tree = readSettingsFile(environment.POSTERN_CONFIG, directory, problems);
  const variables = { ...readEnvironmentFile(directory, problems), ...environment };
  for (const [variable, path] of Object.entries(environmentVariables)) {
    const value = variables[variable];
    if (value !== undefined && value !== '') setPath(tree, path, value);
  }
  tree.directory = resolve(String(tree.directory ?? directory));

  const settings = Value.Default(settingsSchema, tree);
  for (const error of Value.Errors(settingsSchema, settings)) {
    // An unknown key is reported twice: at its parent, and as a value that "false" does not allow.
    if (error.keyword !== 'boolean') problems.push(describeError(error));
  }
  if (problems.length > 0) return { ok: false, problems: [...new Set(problems)] };

  const checked = settings as Settings;
  problems.push(
    ...findSecretProblems(checked),
    ...findConflicts(checked),
    ...findWebhookProblems(checked),
    ...findStorageProblems(checked),
    ...findPublicUrlProblems(checked),
    ...findChallengeProblems(checked),
  );
  return problems.length > 0 ? { ok: false, problems } : { ok: true, settings: deepFreeze(checked) };
}

function readSettingsFile(named: string | undefined, directory: string, problems: string[]): Tree {
  const file = named ?? join(directory, 'postern.toml');
  if (!existsSync(file)) {
    if (named) problems.push(`POSTERN_CONFIG: the file ${file} does not exist`);
    return {};
  }
  try {
    return parseToml(readFileSync(file, 'utf8')) as Tree;
  } catch (error) {
    problems.push(`${file}: ${(error as Error).message.split('\n')[0]}`);
    return {};
  }
}

function readEnvironmentFile(directory: string, problems: string[]): Environment {
  const file = join(directory, 'postern.env');
  if (!existsSync(file)) return {};
  if ((statSync(file).mode & 0o007) !== 0) problems.push(`${file}: readable by others; run chmod 600 on it`);
  return parseEnv(readFileSync(file, 'utf8'));
}

function setPath(tree: Tree, [section, key]: readonly [string, string?], value: string): void {
  if (key === undefined) {
    tree[section] = value;
    return;
  }
  const existing = tree[section];
  const branch = typeof existing === 'object' && existing !== null ? (existing as Tree) : {};
  branch[key] = value;
  tree[section] = branch;
}

/** Two listeners of one machine cannot share a port. */
function findConflicts(settings: Settings): string[] {
  const { api, worker, gateway, mta, inbound, sandbox } = settings;
  const ports: [string, number][] = [
    ['api.port', api.port],
    ['worker.port', worker.port],
    ['gateway.starttlsPort', gateway.starttlsPort],
    ['gateway.tlsPort', gateway.tlsPort],
    ['gateway.alternativePort', gateway.alternativePort],
    ['gateway.monitorPort', gateway.monitorPort],
    ['mta.intakePort', mta.intakePort],
    ['mta.apiPort', mta.apiPort],
    ['mta.queueServerPort', mta.queueServerPort],
    ['mta.controlPort', mta.controlPort],
    ['inbound.port', inbound.port],
    ['inbound.monitorPort', inbound.monitorPort],
    ['sandbox.dnsPort', sandbox.dnsPort], // over TCP as well
    ['sandbox.smtpPort', sandbox.smtpPort],
    ['sandbox.httpPort', sandbox.httpPort],
    ['sandbox.httpsPort', sandbox.httpsPort],
  ];
  const problems: string[] = [];
  const owners = new Map<number, string>();
  for (const [name, port] of ports) {
    const owner = owners.get(port);
    if (owner) problems.push(`${name}: port ${port} is already taken by ${owner}`);
    owners.set(port, name);
  }
  return problems;
}

/** RFC 8058 3.1: a link to unsubscribe is HTTPS. */
function findPublicUrlProblems({ environment, api }: Settings): string[] {
  const isPlain = environment === 'production' && api.publicUrl.startsWith('http:');
  return isPlain ? ['api.publicUrl: must begin with https:// in production'] : [];
}

function findChallengeProblems({ certificates: { names, challenge, dnsHook } }: Settings): string[] {
  if (challenge === 'dns-01') return dnsHook === '' ? ['certificates.dnsHook: required with dns-01'] : [];
  const wildcard = names.find((name) => name.startsWith('*.'));
  return wildcard ? [`certificates.names: ${wildcard} needs challenge = "dns-01"`] : [];
}

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) {
    if (typeof inner === 'object' && inner !== null) deepFreeze(inner);
  }
  return Object.freeze(value);
}
