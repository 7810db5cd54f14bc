/**
 * The inventory: which hosts there are, what runs on each, and how a deployment goes about it. A TOML file that
 * people write, deploy.toml by default; docs/deploy.md explains every field.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse as parseToml } from 'smol-toml';
import Type, { type Static } from 'typebox';
import Value from 'typebox/value';
import { describeError } from '../config/describe-error.ts';
import { positive } from '../config/fields.ts';

/** In the order in which a host starts them: the others ask the api. */
export const roles = ['api', 'worker', 'mta', 'gateway', 'inbound'] as const;
export type Role = (typeof roles)[number];

const sshSchema = Type.Object(
  {
    user: Type.Optional(
      Type.String({ pattern: '^[a-z_][a-z0-9_-]*$', description: 'Who logs in; else as OpenSSH says' }),
    ),
    configFile: Type.Optional(
      Type.String({ minLength: 1, description: "An ssh_config(5) of the inventory's own, relative to it" }),
    ),
    sudo: Type.Boolean({
      default: false,
      description: 'Whether commands run by sudo -n, without a password',
    }),
  },
  { additionalProperties: false, default: {} },
);

const hostSchema = Type.Object(
  {
    name: Type.String({
      // Never an option of ssh, never a word of the shell
      pattern: '^[A-Za-z0-9][A-Za-z0-9._-]*$',
      description: 'As OpenSSH knows it: a name, an address or a Host of ssh_config',
    }),
    roles: Type.Array(Type.Enum([...roles]), {
      minItems: 1,
      uniqueItems: true,
      description: 'What runs there',
    }),
    hostname: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9][A-Za-z0-9.-]*$',
        description: 'The name it gives in SMTP greetings, as forward and reverse DNS have it',
      }),
    ),
  },
  { additionalProperties: false },
);

export const inventorySchema = Type.Object(
  {
    root: Type.String({
      pattern: '^(/[A-Za-z0-9][A-Za-z0-9._-]*)+$',
      default: '/srv/postern',
      description: 'On every host: releases/, shared/ and current lie there',
    }),
    supervisor: Type.Enum(['pm2', 'systemd'], { default: 'pm2', description: 'What keeps the processes up' }),
    hostsAtOnce: positive(5, 'Hosts that a phase works on side by side'),
    restartsAtOnce: positive(1, 'Hosts that restart side by side: the others serve meanwhile'),
    keepReleases: Type.Integer({ minimum: 2, default: 5, description: 'Releases that stay on a host' }),
    healthSeconds: positive(90, 'How long a health check may stay red before the release has failed'),
    minFreeMegabytes: positive(1_500, 'Disk that a host must have free'),
    system: Type.Boolean({
      default: true,
      description: 'Whether setup looks after packages, users, kernel and boot; needs root there',
    }),
    trustedNetworks: Type.Array(Type.String({ pattern: '^[0-9a-fA-F.:]+(/[0-9]+)?$' }), {
      default: [],
      description:
        'Addresses and networks that may reach the api and the inner ports: your hosts, your proxy',
    }),
    ssh: sshSchema,
    hosts: Type.Array(hostSchema, { minItems: 1 }),
  },
  { additionalProperties: false },
);

export type Inventory = Static<typeof inventorySchema>;
export type InventoryHost = Static<typeof hostSchema>;
export type InventoryResult = { ok: true; inventory: Inventory } | { ok: false; problems: string[] };

/** Every problem names its field. `ssh.configFile` of the result is an absolute path. */
export function readInventory(file: string): InventoryResult {
  if (!existsSync(file)) return { ok: false, problems: [`${file}: does not exist`] };
  let tree: unknown;
  try {
    tree = parseToml(readFileSync(file, 'utf8'));
  } catch (error) {
    return { ok: false, problems: [`${file}: ${(error as Error).message.split('\n')[0]}`] };
  }
  const result = checkInventory(tree);
  if (!result.ok || result.inventory.ssh.configFile === undefined) return result;
  const configFile = resolve(dirname(file), result.inventory.ssh.configFile);
  if (!existsSync(configFile))
    return { ok: false, problems: [`ssh.configFile: ${configFile} does not exist`] };
  const { inventory } = result;
  return { ok: true, inventory: { ...inventory, ssh: { ...inventory.ssh, configFile } } };
}

export function checkInventory(tree: unknown): InventoryResult {
  const inventory = Value.Default(inventorySchema, tree);
  const problems = [...Value.Errors(inventorySchema, inventory)]
    // An unknown key is reported twice: at its parent, and as a value that "false" does not allow.
    .filter(({ keyword }) => keyword !== 'boolean')
    .map(describeError);
  if (problems.length > 0) return { ok: false, problems: [...new Set(problems)] };
  const checked = inventory as Inventory;
  const conflicts = findConflicts(checked);
  return conflicts.length > 0 ? { ok: false, problems: conflicts } : { ok: true, inventory: checked };
}

function findConflicts({ hosts }: Inventory): string[] {
  const problems = hosts.flatMap(({ name }, index) =>
    hosts.findIndex((other) => other.name === name) < index
      ? [`hosts.${index}.name: ${name} is there already`]
      : [],
  );
  for (const role of ['api', 'mta'] as const) {
    if (!hosts.some((host) => host.roles.includes(role)))
      problems.push(`hosts: none has the role ${role}, whose database is to be migrated`);
  }
  return problems;
}
