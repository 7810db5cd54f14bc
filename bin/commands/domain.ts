import type { Command } from 'commander';
import type { Settings } from '../../config/schema.ts';
import type { Domain } from '../public-api.ts';
import { runCommand, unwrap } from './context.ts';

export function addDomainCommands(program: Command): void {
  const domain = program.command('domain').description('The domains of an organization');
  domain
    .command('add')
    .description('Adds a domain with DKIM keys of its own, and says which DNS records it needs')
    .argument('<name>', 'as example.com')
    .option('--organization-token <token>', "the organization's API token")
    .addHelpText('after', '\nExample:\n  $ bin/postern domain add example.com')
    .action((name: string, _options, command: Command) =>
      runCommand(command, async ({ organizationApi, print, settings }) => {
        const added = unwrap(await organizationApi().createDomain(name));
        const records = listRecords(added, settings());
        print({ ...added, records }, format(added, records));
      }),
    );
}

interface DnsRecord {
  name: string;
  type: 'TXT';
  value: string;
  purpose: string;
}

/** SPF speaks of the envelope sender, which is in the return path's domain: the domain itself needs none for us. */
function listRecords({ url, dkim_selector, dkim_string }: Domain, { mta }: Settings): DnsRecord[] {
  return [
    {
      name: `${dkim_selector}._domainkey.${url}`,
      type: 'TXT',
      value: dkim_string,
      purpose: 'DKIM: the key its mail is signed with (RFC 6376)',
    },
    {
      name: `_dmarc.${url}`,
      type: 'TXT',
      value: 'v=DMARC1; p=none',
      purpose: `DMARC: a policy to begin with; DKIM aligns, SPF is that of ${mta.returnPathDomain} (RFC 9989)`,
    },
  ];
}

function format({ id, url }: Domain, records: DnsRecord[]): string {
  return [
    `Domain ${url} is added (${id}). Set these DNS records:`,
    ...records.map(
      ({ name, type, value, purpose }) => `\n  ; ${purpose}\n  ${name}. IN ${type} ${quote(value)}`,
    ),
    `\nThen make a token: bin/postern token create --domain ${url}`,
  ].join('\n');
}

/** A string of a TXT record holds 255 bytes (RFC 1035 3.3): longer values are several strings. */
function quote(value: string): string {
  return (value.match(/.{1,255}/g) ?? []).map((part) => `"${part}"`).join(' ');
}
