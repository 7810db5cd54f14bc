/** The judgement of what the DNS says about a domain, record by record. Pure: from look-ups to findings. */
import { type Finding, findAbsence, isWell, isWrong } from './finding.ts';
import type { LookupResult } from './lookup.ts';

const TAG_LIST = /^\s*[a-z][a-z0-9_]*\s*=[^;]*(;\s*[a-z][a-z0-9_]*\s*=[^;]*)*;?\s*$/i;
const SPF_MECHANISM =
  /^[+\-~?]?(all|include:\S+|a([:/]\S+)?|mx([:/]\S+)?|ptr(:\S+)?|ip4:[\d./]+|ip6:[\da-f:./]+|exists:\S+)$/i;
const SPF_MODIFIER = /^[a-z][a-z0-9_.-]*=\S*$/i;

/** @param expected the value it should have (RFC 6376 3.6.1); what counts is the key in it */
export function checkDkim(result: LookupResult, name: string, expected: string): Finding {
  const publish = `Publish the TXT record at ${name} with exactly this value: ${expected}`;
  if (!result.ok) return findAbsence(result, { problem: 'No matching DKIM key found', remedy: publish });
  const { values: found } = result;
  const [first = '', ...others] = found;
  if (others.length > 0) {
    // RFC 6376 3.6.2.2: with several records the result is undefined.
    return isWrong('several', found, {
      problem: `There are ${found.length} TXT records at ${name}, receivers may take any of them`,
      remedy: 'Remove all but the one with the value given here',
    });
  }
  const tags = readTags(first);
  if (!tags || (tags.has('v') && tags.get('v') !== 'DKIM1') || !tags.has('p')) {
    return isWrong('syntax', found, { problem: 'The record is no DKIM key', remedy: publish });
  }
  const difference = findDkimDifference(tags, readTags(expected));
  return difference ? isWrong('different', found, { problem: difference, remedy: publish }) : isWell(found);
}

function findDkimDifference(
  tags: Map<string, string>,
  expected: Map<string, string> | undefined,
): string | undefined {
  const key = keyOf(tags);
  const expectedKey = keyOf(expected);
  if (key === '') return 'The DKIM record says that the key is revoked (its p= is empty)';
  const [kind = 'rsa', expectedKind = 'rsa'] = [tags.get('k'), expected?.get('k')];
  if (kind !== expectedKind) return `The DKIM record says k=${kind}, the key is ${expectedKind}`;
  const hashes = tags.get('h')?.split(':');
  if (hashes && !hashes.includes('sha256')) return 'The DKIM record does not allow sha256 (h=)';
  if (key === expectedKey) return undefined;
  if (expectedKey.startsWith(key)) {
    return `The DKIM key is cut off after ${key.length} of ${expectedKey.length} characters`;
  }
  return 'The DKIM record holds another key';
}

/** The alias that makes bounces come back to us and SPF align (RFC 7208, contract 5). */
export function checkReturnPath(result: LookupResult, name: string, target: string): Finding {
  const publish = `Publish a CNAME record at ${name} that points to ${target}, and not proxied`;
  if (!result.ok) return findAbsence(result, { problem: 'No CNAME keys found', remedy: publish });
  const { values: found } = result;
  if (found.length > 1) {
    return isWrong('several', found, { problem: `${name} has several CNAME records`, remedy: publish });
  }
  if (found[0] !== target) {
    return isWrong('different', found, { problem: `The CNAME points to ${found[0]}`, remedy: publish });
  }
  return isWell(found);
}

/**
 * SPF as receivers see it at the return path, through the CNAME (RFC 7208).
 * @param ours what the installation publishes at the target of the CNAME
 */
export function checkSpf(
  result: LookupResult,
  ours: LookupResult,
  { name, target }: { name: string; target: string },
): Finding {
  const publish = `Publish the CNAME of the return path, which brings SPF along; where that cannot be, a TXT record at ${name}: v=spf1 include:${target} -all`;
  const none = { problem: 'SPF does not align: DMARC passes by DKIM alone', remedy: publish };
  if (!result.ok) return findAbsence(result, none);
  const { values } = result;
  const found = values.filter(isSpf);
  const [record = '', ...others] = found;
  if (found.length === 0) return isWrong('missing', values, none);
  if (others.length > 0) {
    // RFC 7208 4.5: more than one record is a permanent error.
    return isWrong('several', found, {
      problem: `There are ${found.length} SPF records at ${name}, which makes all of them void`,
      remedy: 'Join them into one record',
    });
  }
  const broken = findBrokenSpfTerm(record);
  if (broken !== undefined) {
    return isWrong('syntax', found, {
      problem: `The SPF record cannot be read at "${broken}"`,
      remedy: `Correct it; v=spf1 include:${target} -all is enough`,
    });
  }
  const terms = record.toLowerCase().split(/\s+/);
  const isOurs = ours.ok && ours.values.includes(record);
  const isIncluded = terms.some((term) => /^\+?include:|^redirect=/.test(term) && term.endsWith(target));
  if (isOurs || isIncluded) return isWell(found);
  return isWrong('different', found, {
    problem: `The SPF record does not let this installation send`,
    remedy: publish,
  });
}

/** @param inherited the record of a domain above, which counts where this one has none (RFC 9989 4.10) */
export function checkDmarc(result: LookupResult, inherited: LookupResult, name: string): Finding {
  const publish = `Publish a TXT record at ${name}; v=DMARC1; p=none is enough to begin with`;
  const own = result.ok ? result.values.filter(isDmarc) : [];
  const above = inherited.ok ? inherited.values.filter(isDmarc) : [];
  const found = own.length > 0 ? own : above;
  if (found.length === 0) {
    const none = { problem: 'There is no DMARC policy', remedy: publish };
    if (!result.ok) return findAbsence(result, none);
    return isWrong('missing', result.ok ? result.values : [], none);
  }
  if (found.length > 1) {
    return isWrong('several', found, {
      problem: `There are ${found.length} DMARC records at ${name}, so that none counts`,
      remedy: 'Remove all but one',
    });
  }
  const tags = readTags(found[0] ?? '');
  const policy = tags?.get('p') ?? 'none';
  if (!tags || !/^(none|quarantine|reject)$/i.test(policy)) {
    return isWrong('syntax', found, {
      problem: tags ? `DMARC knows no policy p=${policy}` : 'The DMARC record cannot be read',
      remedy: publish,
    });
  }
  return isWell(found);
}

/** Only a domain that is to receive mail needs it (RFC 5321 5.1). */
export function checkInbound(result: LookupResult, name: string, host: string): Finding {
  const publish = `To receive mail at ${name}, publish the MX record 10 ${host}`;
  if (!result.ok) return findAbsence(result, { problem: 'No MX record found', remedy: publish });
  const { values: found } = result;
  const hosts = found.map((value) => value.split(' ')[1]);
  if (!hosts.includes(host)) {
    return isWrong('different', found, {
      problem: `Mail for ${name} goes to ${hosts.join(', ')}`,
      remedy: publish,
    });
  }
  if (hosts.length > 1) {
    return isWrong('several', found, {
      problem: `Some of the mail for ${name} goes elsewhere`,
      remedy: `Remove the MX records but for ${host}`,
    });
  }
  return isWell(found);
}

/** Undefined: no list of tags. The names in lower case, the values trimmed. */
function readTags(record: string): Map<string, string> | undefined {
  if (!TAG_LIST.test(record)) return undefined;
  const tags = record.split(';').filter((tag) => tag.trim() !== '');
  return new Map(
    tags.map((tag) => {
      const at = tag.indexOf('=');
      return [tag.slice(0, at).trim().toLowerCase(), tag.slice(at + 1).trim()];
    }),
  );
}

/** Long values are pasted with line ends in them. */
function keyOf(tags: Map<string, string> | undefined): string {
  return (tags?.get('p') ?? '').replaceAll(/\s/g, '');
}

function isSpf(record: string): boolean {
  return /^v=spf1( |$)/i.test(record);
}

function isDmarc(record: string): boolean {
  return /^\s*v\s*=\s*DMARC1\s*(;|$)/i.test(record);
}

function findBrokenSpfTerm(record: string): string | undefined {
  const terms = record.trim().split(/ +/).slice(1);
  return terms.find((term) => !SPF_MECHANISM.test(term) && !SPF_MODIFIER.test(term));
}
