/**
 * `node api/console.ts <command>`: what an operator does on the server itself, beneath the API: it needs the settings
 * and the database, and no token. Prints one JSON object on stdout. Exits 1, with a line on stderr, when it cannot.
 *
 * Tokens are printed once, here, and stored as digests. Outside production a new domain counts as verified: all mail
 * stays in the sandbox.
 */
import { Command } from 'commander';
import { loadSettings } from '../config/load.ts';
import type { Settings } from '../config/schema.ts';
import { createLogger, type Logger } from '../lib/log.ts';
import { normalizeDomain } from '../lib/mail/address.ts';
import { createInvalidator } from '../lib/rpc/invalidation.ts';
import { trustAuthorities } from '../lib/tls/authorities.ts';
import { createPool, inTransaction, type Store, type Transaction } from './database.ts';
import { describeSchedule } from './jobs/describe-schedule.ts';
import { createProducer } from './jobs/producer.ts';
import { reportDay } from './jobs/send-tls-reports.ts';
import {
  createDomainToken,
  createOperatorToken,
  createOrganizationToken,
  listTokens,
  revokeToken,
} from './models/api-token.ts';
import { consoleActor, recordChange } from './models/audit.ts';
import { activateDkimKey, createDkimKey } from './models/dkim-key.ts';
import { generateDkimKeyPair, generateFirstKeyPairs } from './models/dkim-key-pair.ts';
import { createDomain, type Domain, findDomainByName } from './models/domain.ts';
import { verifyDomain } from './models/domain-lifecycle.ts';
import { createOrganization } from './models/organization.ts';
import { listRuns } from './models/scheduled-run.ts';
import { resealColumn } from './models/sealed.ts';
import { sealedColumns } from './models/sealed-columns.ts';

interface Session {
  store: Store;
  settings: Settings;
  log: Logger;
}

type Action<Options> = (session: Session, options: Options) => Promise<object>;

const program = new Command('console')
  .description("Postern's operator console")
  .option('--json', 'print JSON (always on; for symmetry with other commands)');

add(
  program.command('create-organization').requiredOption('--name <name>'),
  async ({ store }, { name }: { name: string }) => {
    const organization = await createOrganization(store.pool, name);
    const token = await createOrganizationToken(store.pool, {
      organizationId: organization.id,
      name: 'console',
    });
    return { organizationId: organization.id, organizationToken: token.token };
  },
);

add(
  program
    .command('create-domain')
    .requiredOption('--organization <id>', 'id of its organization', Number)
    .requiredOption('--name <domain>')
    .option('--label <text>', 'shown beside the name', ''),
  async ({ store, settings }, options: { organization: number; name: string; label: string }) => {
    const name = normalizeDomain(options.name) ?? fail(`${options.name} is not a domain name`);
    const isVerified = settings.environment !== 'production';
    const asked = { organizationId: options.organization, name, label: options.label, isVerified };
    const keyPairs = await generateFirstKeyPairs();
    const result = await inTransaction(store, (tx) =>
      createDomain(tx, asked, keyPairs, settings.secrets.key),
    );
    return result.ok
      ? describeDomain(result.domain)
      : fail(
          result.reason === 'taken'
            ? `${name} has already been taken`
            : 'the organization may have no more domains',
        );
  },
);

add(
  program
    .command('verify-domain')
    .description('by your word, without a look at the DNS')
    .requiredOption('--domain <name>'),
  async ({ store }, options: { domain: string }) => {
    const domain = await findDomain(store, options.domain);
    await inTransaction(store, (tx) => verifyDomain(tx, domain.id));
    return describeDomain(await findDomain(store, options.domain));
  },
);

add(
  program
    .command('create-token')
    .requiredOption('--domain <name>')
    .option('--name <text>', 'to know it by', ''),
  async ({ store }, options: { domain: string; name: string }) => {
    const { id: domainId, organizationId, name } = await findDomain(store, options.domain);
    const token = await createDomainToken(store.pool, { organizationId, domainId, name: options.name });
    return { tokenId: token.id, token: token.token, domainId, domain: name };
  },
);

add(
  program
    .command('create-dkim-key')
    .description('signs nothing until it is activated')
    .requiredOption('--domain <name>'),
  async ({ store, settings }, options: { domain: string }) => {
    const domain = await findDomain(store, options.domain);
    const keyPair = await generateDkimKeyPair();
    const key = await inTransaction(store, (tx) => createDkimKey(tx, domain, keyPair, settings.secrets.key));
    return { domain: domain.name, dkimSelector: key.selector, dkimRecord: key.record };
  },
);

add(
  program
    .command('activate-dkim-key')
    .description('once its record is in the DNS')
    .requiredOption('--domain <name>')
    .requiredOption('--selector <selector>'),
  async ({ store }, { domain: name, selector }: { domain: string; selector: string }) => {
    const domain = await findDomain(store, name);
    const isActive = await inTransaction(store, (tx) => activateDkimKey(tx, domain, selector));
    return isActive
      ? { domain: domain.name, dkimSelector: selector }
      : fail(`${name} has no key ${selector}`);
  },
);

add(
  program
    .command('create-operator-token')
    .description('for Postern-Operator-Token: manages all organizations')
    .requiredOption('--name <text>', 'whose it is'),
  async ({ store }, { name }: { name: string }) =>
    inTransaction(store, async (tx) => {
      const { id, token } = await createOperatorToken(tx, { name });
      await noteOperatorToken(tx, 'created', { id, name });
      return { tokenId: id, operatorToken: token };
    }),
);

add(program.command('list-operator-tokens'), async ({ store }) => ({
  operatorTokens: (await listTokens(store.pool, 'operator')).map(({ id, name, lastUsedAt }) => ({
    tokenId: id,
    name,
    lastUsedAt,
  })),
}));

add(
  program.command('revoke-operator-token').requiredOption('--token <id>', 'its id', Number),
  async ({ store }, { token: tokenId }: { token: number }) =>
    inTransaction(store, async (tx) => {
      const token = await revokeToken(tx, 'operator', tokenId);
      if (!token) return fail('there is no such operator token');
      await noteOperatorToken(tx, 'revoked', token);
      return { tokenId, revoked: true };
    }),
);

add(
  program
    .command('reseal')
    .description(
      'seals every secret with the first key of secrets.key; both keys open meanwhile. May be run again',
    ),
  async ({ store, settings }) => {
    const columns = [];
    for (const column of sealedColumns) columns.push(await resealColumn(store, column, settings.secrets.key));
    return { columns };
  },
);

add(
  program.command('list-schedule').description('the periodic jobs, and what became of them last'),
  async ({ store }) => ({ jobs: describeSchedule(await listRuns(store.pool), new Date()) }),
);

add(
  program
    .command('send-tls-reports')
    .description('of a day, to the domains that were not told of it yet (RFC 8460)')
    .requiredOption('--day <day>', 'as 2026-01-31, UTC; one of the last four, today included'),
  async ({ store, settings, log }, { day }: { day: string }) => {
    if (!/^\d{4}-\d\d-\d\d$/.test(day)) fail(`${day} is not a day as 2026-01-31`);
    if (settings.tlsReports.from === '') fail('tlsReports.from is not set: nothing is counted or sent');
    trustAuthorities(settings);
    return { reports: await reportDay({ store, settings, log }, day) };
  },
);

await program.parseAsync();

function add<Options extends object>(command: Command, action: Action<Options>): void {
  command.option('--json', 'print JSON');
  command.action(async (options: Options) => {
    try {
      const result = await withStore((session) => action(session, options));
      process.stdout.write(`${JSON.stringify(result)}\n`);
    } catch (error) {
      process.stderr.write(`postern: ${error instanceof Error ? error.message : String(error)}\n`);
      process.exitCode = 1;
    }
  });
}

/** What is done here is noted as everything else; there is no token to know anybody by. */
function noteOperatorToken(
  tx: Transaction,
  action: 'created' | 'revoked',
  { id, name }: { id: number; name: string },
): Promise<void> {
  const change = { organizationId: null, action: `operator_token.${action}`, subject: name, subjectId: id };
  return recordChange(tx, consoleActor, change);
}

async function withStore<T>(work: (session: Session) => Promise<T>): Promise<T> {
  const settings = loadSettings();
  const log = createLogger('console', { level: 'silent' });
  const pool = createPool(settings);
  const invalidator = createInvalidator({ redisUrl: settings.redis.url, log });
  try {
    const boss = await createProducer(pool, log);
    try {
      return await work({ store: { pool, boss, invalidator }, settings, log });
    } finally {
      await boss.stop({ graceful: false });
    }
  } finally {
    await invalidator.close();
    await pool.end();
  }
}

async function findDomain({ pool }: Store, name: string): Promise<Domain> {
  return (await findDomainByName(pool, normalizeDomain(name) ?? '')) ?? fail(`there is no domain ${name}`);
}

function describeDomain({
  id,
  name,
  organizationId,
  dkimSelector,
  dkimRecord,
  dkimVerifiedAt,
}: Domain): object {
  return {
    domainId: id,
    domain: name,
    organizationId,
    dkimSelector,
    dkimRecord,
    dkimVerified: dkimVerifiedAt !== null,
  };
}

function fail(message: string): never {
  throw new Error(message);
}
