/** bin/postern suppression: whom nothing is sent to, one by one and as a list in CSV. */
import { createReadStream, createWriteStream } from 'node:fs';
import { rename } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import Type from 'typebox';
import type { PublicApi } from '../public-api.ts';
import {
  formatImport,
  formatProgress,
  formatSuppressions,
  type ImportView,
  importSchema,
  pageSchema,
  suppressionSchema,
} from '../suppression-text.ts';
import { CommandFailure, runCommand, unwrap } from './context.ts';

const CSV = 'text/csv';
const POLL_MS = 500;
const PAGE_ROWS = 200;

interface Filters {
  domain?: string;
  list?: string;
  stream?: string;
  reason?: string;
  address?: string;
}

export function addSuppressionCommands(program: Command): void {
  const suppression = program
    .command('suppression')
    .description('Whom nothing is sent to (block list), and whom always (allow list)')
    .addHelpText(
      'after',
      `
Examples:
  $ bin/postern suppression add ann@example.com --domain shop.example --note "asked by telephone"
  $ bin/postern suppression list --reason bounced
  $ bin/postern suppression remove ann@example.com
  $ bin/postern suppression import blocked.csv --domain shop.example
  $ bin/postern suppression export --output suppressions.csv`,
    );
  addSingle(suppression);
  addFiles(suppression);
}

function addSingle(suppression: Command): void {
  filtered(command(suppression, 'list', 'Entries, the newest first'))
    .option('--address <address>', 'of this recipient')
    .option('--limit <count>', 'at most', Number, 50)
    .action(({ limit, ...filters }: Filters & { limit: number }, command: Command) =>
      runCommand(command, async ({ organizationApi, print }) => {
        const found = await listEntries(organizationApi(), filters, limit);
        print(found, formatSuppressions(found));
      }),
    );
  command(suppression, 'add', 'Adds an entry, or makes the one that is there say this')
    .argument('<address>', 'of the recipient')
    .option('--domain <name>', 'sending domain; without it, all of the organization')
    .option('--list <list>', 'block or allow', 'block')
    .option('--stream <stream>', 'all, transactional or bulk', 'all')
    .option('--reason <reason>', 'bounced, complained, unsubscribed, manual or imported', 'manual')
    .option('--note <text>', 'for people')
    .option('--expires <moment>', 'as 2026-01-31T18:00:00Z; without it, it stays')
    .action((address: string, options: Filters & { note?: string; expires?: string }, command: Command) =>
      runCommand(command, async ({ organizationApi, print }) => {
        const { domain, list, stream, reason, note, expires: expires_at } = options;
        const body = { address, domain, list, stream, reason, note, expires_at };
        const added = unwrap(await organizationApi().call(suppressionSchema, 'POST', '/suppressions', body));
        print(added, formatSuppressions([added]));
      }),
    );
  filtered(command(suppression, 'remove', 'Removes the entries of an address'))
    .argument('<address>', 'of the recipient')
    .action((address: string, filters: Filters, command: Command) =>
      runCommand(command, async ({ organizationApi, print }) => {
        const api = organizationApi();
        const found = await listEntries(api, { ...filters, address });
        if (found.length === 0) {
          throw new CommandFailure(`there is no such entry of ${address}`, 'suppression list shows what is.');
        }
        const removed = Type.Object({ message: Type.String() });
        for (const { id } of found) unwrap(await api.call(removed, 'DELETE', `/suppressions/${id}`));
        print(found, `${found.length} removed.`);
      }),
    );
}

function addFiles(suppression: Command): void {
  command(
    suppression,
    'import',
    'Adds the entries of a list in CSV; the same again changes nothing. Exits 1 when a line is refused',
  )
    .argument('<file>', 'its first line names the columns; - is stdin')
    .option('--domain <name>', 'sending domain of lines that name none; without it, all of the organization')
    .action((file: string, { domain }: Filters, command: Command) =>
      runCommand(command, async ({ organizationApi, print }) => {
        const api = organizationApi();
        const content = file === '-' ? process.stdin : await openFile(file);
        const path = `/suppressions/imports?${toQuery({ domain })}`;
        const started = unwrap(await api.upload(importSchema, path, { type: CSV, content }));
        const ended = await followImport(api, started);
        print(ended, formatImport(ended));
        if (ended.state === 'failed' || ended.refused > 0) process.exitCode = 1;
      }),
    );
  filtered(command(suppression, 'export', 'Writes entries as CSV, which import takes'))
    .option('--output <file>', 'written when it is whole; without it, to stdout')
    .action(({ output, ...filters }: Filters & { output?: string }, command: Command) =>
      runCommand(command, async ({ organizationApi }) => {
        const csv = unwrap(await organizationApi().download(`/suppressions/export?${toQuery(filters)}`, CSV));
        const part = output && `${output}.part`;
        try {
          await pipeline(csv, part ? createWriteStream(part) : process.stdout);
          if (part) await rename(part, output);
        } catch (error) {
          const reason = error instanceof Error ? error.message : String(error);
          throw new CommandFailure(
            `the export broke off: ${reason}`,
            'What was written is not the whole list.',
          );
        }
      }),
    );
}

function command(suppression: Command, name: string, description: string): Command {
  return suppression
    .command(name)
    .description(description)
    .option('--organization-token <token>', "the organization's API token");
}

function filtered(command: Command): Command {
  return command
    .option('--domain <name>', 'of this sending domain only')
    .option('--list <list>', 'block or allow')
    .option('--stream <stream>', 'all, transactional or bulk')
    .option('--reason <reason>', 'bounced, complained, unsubscribed, manual or imported');
}

async function listEntries(api: PublicApi, filters: Filters, limit = Number.POSITIVE_INFINITY) {
  const entries = [];
  for (let cursor: string | null = ''; cursor !== null && entries.length < limit; ) {
    const count = Math.min(PAGE_ROWS, limit - entries.length);
    const query = toQuery({ ...filters, cursor: cursor || undefined, limit: String(count) });
    const page = unwrap(await api.call(pageSchema, 'GET', `/suppressions?${query}`));
    entries.push(...page.suppressions);
    cursor = page.next_cursor;
  }
  return entries;
}

async function followImport(api: PublicApi, started: ImportView): Promise<ImportView> {
  let seen = started;
  while (seen.state === 'running') {
    await sleep(POLL_MS);
    seen = unwrap(await api.call(importSchema, 'GET', `/suppressions/imports/${seen.id}`));
    if (process.stderr.isTTY) process.stderr.write(`\r${formatProgress(seen)}\u001b[K`);
  }
  if (process.stderr.isTTY) process.stderr.write('\n');
  return seen;
}

async function openFile(file: string) {
  const stream = createReadStream(file);
  await new Promise<void>((resolve, reject) => {
    stream.once('ready', resolve).once('error', (error) => reject(error));
  }).catch((error: Error) => {
    throw new CommandFailure(`${file} cannot be read: ${error.message}`, 'Name a file, or - for stdin.');
  });
  return stream;
}

function toQuery(fields: Record<string, string | undefined>): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) query.set(name, value);
  return query;
}
