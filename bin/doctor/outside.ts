/** What the doctor sees of the world's side: DNS of domains and addresses, port 25, and whether the api lets us in. */
import type pg from 'pg';
import { type CheckOptions, checkAddress, checkPort } from '../../api/addresses/check.ts';
import { examineDkimKey, type PublishedKey } from '../../api/dns/domain-records.ts';
import { createLookup, type Lookup } from '../../api/dns/lookup.ts';
import { listPools } from '../../api/models/sending-pool.ts';
import type { Settings } from '../../config/schema.ts';
import { type Finding, finding } from './finding.ts';

const TIMEOUT_MS = 5_000;
/** What is wrong with the first of them is enough to begin with. */
const MAX_NAMED = 5;
const AT_A_TIME = 20;

const remedies: Record<string, string> = {
  reverse_dns: 'Ask who gave you the address to set its PTR record to a name that leads back to it.',
  helo: 'Add the A or AAAA record of the name that the address says in HELO.',
  port: 'Ask the host to open outgoing port 25, or look at your own firewall; until then move mail to another pool.',
};

/** The key of every domain that signs, as receivers find it. */
export async function checkDkimRecords(pool: pg.Pool, nameservers: readonly string[]): Promise<Finding> {
  const { rows } = await pool.query<PublishedKey & { domain: string }>(
    `select domains.name as domain, selector, record, algorithm, 'active' as state
       from dkim_keys
       join domains on domains.id = domain_id
      where activated_at is not null and retired_at is null and dkim_verified_at is not null
      order by domains.name, selector`,
  );
  const lookup = createLookup(nameservers);
  const wrong = [];
  for (let start = 0; start < rows.length; start += AT_A_TIME) {
    const keys = rows.slice(start, start + AT_A_TIME);
    wrong.push(...(await Promise.all(keys.map((key) => examineKey(key, lookup)))).flat());
  }
  const shown = wrong.slice(0, MAX_NAMED).map(({ name, problem }) => `${name}: ${problem}`);
  const more = wrong.length > MAX_NAMED ? `, and ${wrong.length - MAX_NAMED} more` : '';
  return finding(
    'DKIM records',
    wrong.length > 0 ? `${shown.join('; ')}${more}.` : undefined,
    `Those of ${rows.length} keys are in the DNS.`,
    `${wrong[0]?.remedy ?? ''}. bin/postern domain verify looks again.`,
  );
}

async function examineKey(
  { domain, ...key }: PublishedKey & { domain: string },
  lookup: Lookup,
): Promise<{ name: string; problem: string; remedy: string }[]> {
  const { name, finding: found } = await examineDkimKey(domain, key, lookup);
  return found.problem ? [{ name, problem: found.problem, remedy: found.remedy ?? '' }] : [];
}

/** PTR, HELO, blocklists and port 25 of the addresses of the pools that this machine has. */
export async function checkAddresses(pool: pg.Pool, options: CheckOptions): Promise<Finding[]> {
  const addresses = (await listPools(pool)).flatMap((one) => one.addresses);
  const findings: Finding[] = [];
  for (const address of addresses) {
    for (const [check, { status, text }] of Object.entries(await checkAddress(address, options))) {
      if (status !== 'wrong') continue;
      const remedy =
        remedies[check] ?? 'Ask the list to take it off, after you have stopped what it was listed for.';
      findings.push(finding(`${address.address} ${check}`, `${text}.`, '', remedy));
    }
  }
  if (findings.length > 0) return findings;
  return [finding('addresses', undefined, `${addresses.length} in pools, nothing wrong with them.`, '')];
}

/** Where there are no pools, mail leaves from the machine's own address. */
export async function checkPort25(probe: CheckOptions['probe']): Promise<Finding> {
  const { status, text } = await checkPort('0.0.0.0', probe);
  return finding('port 25', status === 'wrong' ? `${text}.` : undefined, text, remedies.port ?? '');
}

/** Asks for a page of RPC that every service asks for. */
export async function checkServiceToken({
  api,
  secrets,
}: Pick<Settings, 'api' | 'secrets'>): Promise<Finding> {
  const remedy =
    'Give every machine the POSTERN_SERVICE_TOKEN of the api, and restart gateway, inbound and mta, which read it at their start.';
  try {
    const response = await fetch(`${api.url}/rpc/v1/sending_pools`, {
      headers: { authorization: `Bearer ${secrets.serviceToken}` },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const fault =
      response.status === 401 || response.status === 403
        ? 'The api does not take the service token of these settings.'
        : undefined;
    return finding('service token', fault, 'The api takes it.', remedy);
  } catch {
    return finding('service token', `${api.url} does not answer.`, '', 'See what the api lacks, above.');
  }
}
