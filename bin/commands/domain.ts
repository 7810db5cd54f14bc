/** bin/postern domain: what an organization sends from, and what the DNS says about it. */
import type { Command } from 'commander';
import Type from 'typebox';
import type { Settings } from '../../config/schema.ts';
import type { DkimAlgorithm } from '../../lib/rpc/contracts/dkim-keys.ts';
import {
  type DkimKeyView,
  dkimKeySchema,
  dnsRecordSchema,
  formatDomains,
  formatRecord,
  formatRecords,
  verificationSchema,
} from '../domain-text.ts';
import type { Domain, PublicApi } from '../public-api.ts';
import { type CommandContext, runCommand, unwrap } from './context.ts';
import { findOwnDomain } from './own-domain.ts';

type Print = CommandContext['print'];

export function addDomainCommands(program: Command): void {
  const domain = program
    .command('domain')
    .description('The domains of an organization')
    .addHelpText(
      'after',
      `
Examples:
  $ bin/postern domain add example.com
  $ bin/postern domain verify example.com
  $ bin/postern domain rotate example.com`,
    );
  addAdding(domain);
  withToken(domain.command('list').description('All of them')).action((_options, command: Command) =>
    runCommand(command, async ({ organizationApi, print }) => {
      const domains = unwrap(await organizationApi().listDomains());
      print(domains, formatDomains(domains));
    }),
  );
  addForOne(domain, 'show', 'One domain, and what the DNS has of its records', showDomain);
  addForOne(domain, 'verify', 'Looks its records up; from DKIM on it may send', verifyDomain);
  addForOne(
    domain,
    'rotate',
    'Makes the next DKIM key; run again when its record is published, it takes the place of the one before',
    (api, own, print) => rotateKey(api, own, print, 'rsa-sha256'),
  );
  addForOne(
    domain,
    'rotate-ed25519',
    'The same for an Ed25519 key, which signs beside the RSA key: the first one, or the next',
    (api, own, print) => rotateKey(api, own, print, 'ed25519-sha256'),
  );
}

function addForOne(
  domain: Command,
  name: string,
  description: string,
  work: (api: PublicApi, domain: Domain, print: Print) => Promise<void>,
): void {
  withToken(domain.command(name).description(description).argument('<name>', 'as example.com')).action(
    (given: string, _options, command: Command) =>
      runCommand(command, async ({ organizationApi, print }) => {
        const api = organizationApi();
        await work(api, await findOwnDomain(api, given), print);
      }),
  );
}

async function showDomain(api: PublicApi, domain: Domain, print: Print): Promise<void> {
  const records = await listRecords(api, domain);
  print({ ...domain, records }, `${formatDomains([domain])}\n\n${formatRecords(records)}`);
}

async function verifyDomain(api: PublicApi, domain: Domain, print: Print): Promise<void> {
  const path = `/domains/${domain.id}/verify`;
  const verification = unwrap(await api.call(verificationSchema, 'POST', path));
  const records = await listRecords(api, domain);
  const may = verification.dkim_verified ? 'may send' : 'may not send yet';
  print({ ...verification, records }, `${domain.url} ${may}.\n\n${formatRecords(records)}`);
  if (!verification.dkim_verified) process.exitCode = 1;
}

/** Whatever was done of it before, it goes on from there. */
async function rotateKey(
  api: PublicApi,
  { id, url }: Domain,
  print: Print,
  algorithm: DkimAlgorithm,
): Promise<void> {
  const path = `/domains/${id}/dkim_keys`;
  const keys = await listKeys(api, { id });
  const waiting = keys.find((key) => key.state === 'pending' && key.algorithm === algorithm);
  const body = { dkim_key: { algorithm } };
  const next = waiting ?? unwrap(await api.call(dkimKeySchema, 'POST', path, body));
  const selector = encodeURIComponent(next.dkim_selector);
  const activated = await api.call(dkimKeySchema, 'PUT', `${path}/${selector}/activation`);
  if (activated.ok || activated.code !== 422) {
    const key = unwrap(activated);
    const beside = algorithm === 'rsa-sha256' ? '' : ', beside its RSA key,';
    const advice = 'Leave the record of the key before in the DNS for five days: mail under way needs it.';
    print(key, `${url} signs with ${key.dkim_selector}${beside} from now on.\n${advice}`);
    return;
  }
  print({ ...next, problem: activated.reason }, explainWaiting(url, next, activated.reason));
}

function explainWaiting(url: string, key: DkimKeyView, problem: string): string {
  const name = `${key.dkim_selector}._domainkey.${url}`;
  const verb = key.algorithm === 'rsa-sha256' ? 'rotate' : 'rotate-ed25519';
  return [
    `The next key of ${url} is ${key.dkim_selector}; it does not sign yet: ${problem}.`,
    'Publish this record, and leave the one there is:',
    `\n  ${formatRecord({ name, type: 'TXT', value: key.dkim_string })}\n`,
    `Then run it again: bin/postern domain ${verb} ${url}`,
  ].join('\n');
}

async function listKeys(api: PublicApi, { id }: Pick<Domain, 'id'>): Promise<DkimKeyView[]> {
  return unwrap(await api.call(Type.Array(dkimKeySchema), 'GET', `/domains/${id}/dkim_keys`));
}

async function listRecords(api: PublicApi, { id }: Domain) {
  return unwrap(await api.call(Type.Array(dnsRecordSchema), 'GET', `/domains/${id}/dns_records`));
}

function addAdding(domain: Command): void {
  withToken(
    domain
      .command('add')
      .description('Adds a domain with DKIM keys of its own, and says which DNS records it needs')
      .argument('<name>', 'as example.com'),
  ).action((name: string, _options, command: Command) =>
    runCommand(command, async ({ organizationApi, print, settings }) => {
      const api = organizationApi();
      const added = unwrap(await api.createDomain(name));
      const records = recordsOf(added, await listKeys(api, added), settings());
      print({ ...added, records }, explainAdded(added, records));
    }),
  );
}

function withToken(command: Command): Command {
  return command.option('--organization-token <token>', "the organization's API token");
}

interface NeededRecord {
  name: string;
  type: 'TXT';
  value: string;
  purpose: string;
}

const RSA_PURPOSE = 'DKIM: the key its mail is signed with (RFC 6376); without it no mail is taken';
const ED25519_PURPOSE = 'DKIM: a second signature, from when this record is seen (RFC 8463)';

/** SPF speaks of the envelope sender, which is in the return path's domain: the domain itself needs none for us. */
function recordsOf({ url }: Domain, keys: DkimKeyView[], { mta }: Settings): NeededRecord[] {
  return [
    ...keys.map((key) => ({
      name: `${key.dkim_selector}._domainkey.${url}`,
      type: 'TXT' as const,
      value: key.dkim_string,
      purpose: key.algorithm === 'rsa-sha256' ? RSA_PURPOSE : ED25519_PURPOSE,
    })),
    {
      name: `_dmarc.${url}`,
      type: 'TXT',
      value: 'v=DMARC1; p=none',
      purpose: `DMARC: a policy to begin with; DKIM aligns, SPF is that of ${mta.returnPathDomain} (RFC 9989)`,
    },
  ];
}

function explainAdded({ id, url }: Domain, records: NeededRecord[]): string {
  return [
    `Domain ${url} is added (${id}). Set these DNS records:`,
    ...records.map((record) => `\n  ; ${record.purpose}\n  ${formatRecord(record)}`),
    `\nThen look whether they are there: bin/postern domain verify ${url}`,
    `and make a token: bin/postern token create --domain ${url}`,
  ].join('\n');
}
