/**
 * Reports to domains that ask for it what came of TLS the day before (RFC 8460): by mail, signed as all mail is, and by
 * HTTPS. Comes each hour, so that a worker that was down sends late; a domain has its day once. When it dies between a
 * report and its note, the report goes out again under the same id, and the mail's idempotency key keeps that one.
 */
import { hash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { Redis } from 'ioredis';
import { nameserversOf } from '../../config/nameservers.ts';
import type { Settings } from '../../config/schema.ts';
import type { Logger } from '../../lib/log.ts';
import { domainOf, normalizeAddress } from '../../lib/mail/address.ts';
import { redisOptions } from '../../lib/rpc/redis-options.ts';
import { type CountedResult, createTlsReport } from '../../lib/tls/report.ts';
import { dayOf, decodeResult, readReportAddresses, resultsKey } from '../../lib/tls/results.ts';
import type { Store } from '../database.ts';
import { createLookup, type Lookup } from '../dns/lookup.ts';
import { takeOver, takeOverRefusals } from '../mail/take-over.ts';
import { composeTlsReport, type TlsReport } from '../mail/tls-report-mail.ts';
import { findNotificationCredential, refusalOf } from '../models/api-token.ts';
import { fingerprintOf } from '../models/idempotency-key.ts';
import {
  listReportedDomains,
  noteReport,
  type ReportOutcomes,
  reapTlsReports,
  type SentTlsReport,
} from '../models/tls-report.ts';
import { createAddressPolicy } from '../webhooks/address-policy.ts';
import { createPoster, type Poster } from '../webhooks/post.ts';
import { createResolver } from '../webhooks/resolve.ts';

const DAY_MS = 86_400_000;
const compress = promisify(gzip);

export interface TlsReportContext {
  store: Store;
  settings: Settings;
  log: Pick<Logger, 'info'>;
}

export async function sendTlsReports(context: TlsReportContext, now = new Date()): Promise<void> {
  if (context.settings.tlsReports.from === '') return;
  await reportDay(context, dayOf(new Date(now.getTime() - DAY_MS)));
}

/**
 * To the domains that were not told of that day yet.
 * @param day as 2026-01-31, UTC; of the last four
 */
export async function reportDay(context: TlsReportContext, day: string): Promise<SentTlsReport[]> {
  const { store, settings, log } = context;
  const sent: SentTlsReport[] = [];
  const results = await readResults(settings.redis.url, day);
  const reported = await listReportedDomains(store.pool, day);
  const lookup = createLookup(nameserversOf(settings));
  const addresses = createAddressPolicy(settings.webhooks);
  const resolve = createResolver(nameserversOf(settings), addresses);
  const poster = createPoster({ addresses, resolve, timeoutMs: settings.webhooks.timeoutMs });
  try {
    await reapTlsReports(store.pool);
    for (const [domain, ofDomain] of Map.groupBy(results, (result) => result.domain)) {
      if (reported.has(domain)) continue;
      const report = await createReport(domain, day, ofDomain, settings);
      const outcomes = await sendReport(context, report, { lookup, poster });
      if (!outcomes) continue; // the DNS did not answer: in an hour again
      await noteReport(store.pool, { domain, day, outcomes });
      log.info({ domain, day, outcomes }, 'tls_report.sent');
      sent.push({ domain, day, outcomes });
    }
    return sent;
  } finally {
    poster.close();
  }
}

async function readResults(redisUrl: string, day: string): Promise<CountedResult[]> {
  const redis = new Redis(redisUrl, { ...redisOptions, enableOfflineQueue: true, lazyConnect: true });
  redis.on('error', () => {}); // the command says it too
  try {
    const fields = Object.entries(await redis.hgetall(resultsKey(day)));
    return fields.flatMap(([text, count]) => {
      const result = decodeResult(text);
      return result ? [{ ...result, count: Number(count) }] : [];
    });
  } finally {
    redis.disconnect();
  }
}

async function createReport(
  domain: string,
  day: string,
  results: readonly CountedResult[],
  { tlsReports: { from, organizationName } }: Settings,
): Promise<TlsReport> {
  const id = `${hash('sha256', `${day} ${domain} ${from}`).slice(0, 32)}@${domainOf(from)}`;
  const report = createTlsReport(results, { day, id, organizationName, contact: from });
  return { domain, day, id, body: await compress(JSON.stringify(report)) };
}

/** Undefined: it is not known where to. */
async function sendReport(
  context: TlsReportContext,
  report: TlsReport,
  { lookup, poster }: { lookup: Lookup; poster: Poster },
): Promise<ReportOutcomes | undefined> {
  const found = await lookup(`_smtp._tls.${report.domain}`, 'TXT');
  if (!found.ok && found.reason !== 'missing') return undefined;
  const outcomes: ReportOutcomes = {};
  for (const url of found.ok ? readReportAddresses(found.values) : []) {
    const isMail = /^mailto:/i.test(url);
    outcomes[url] = isMail ? await mail(context, report, url) : await post(poster, report, url);
  }
  return outcomes;
}

async function post(poster: Poster, { body }: TlsReport, url: string): Promise<string | null> {
  const headers = { 'content-type': 'application/tlsrpt+gzip', 'content-length': String(body.length) };
  if (!URL.canParse(url)) return 'no URL';
  const result = await poster.post(new URL(url), headers, body);
  if (!result.ok) return `${result.reason}: ${result.detail}`;
  return result.status < 300 ? null : `HTTP ${result.status}`;
}

async function mail(
  { store, settings: { tlsReports } }: TlsReportContext,
  report: TlsReport,
  url: string,
): Promise<string | null> {
  const { from } = tlsReports;
  const to = normalizeAddress(url.slice('mailto:'.length));
  if (to === undefined) return 'no address';
  const credential = await findNotificationCredential(store.pool, domainOf(from));
  if (!credential) return `the domain of ${from} has no token`;
  const refusal = refusalOf(credential);
  if (refusal) return refusal;
  const message = composeTlsReport(report, { from, to, credential });
  const name = `tls report ${report.id} ${to}`;
  const key = { tokenId: credential.tokenId, key: name, fingerprint: fingerprintOf(name) };
  const taken = await takeOver(store, message, key);
  return taken.ok ? null : takeOverRefusals[taken.code];
}
