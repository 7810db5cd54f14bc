/**
 * tls-policy: under which terms a delivery may leave. By default TLS is taken where it is offered, whatever the
 * certificate says, and mail goes without it where it is not (RFC 3207). Stricter terms come from two sides:
 *
 * - the sender: TLS is required of a message, a domain or an organization; the certificate has to hold for the MX's name;
 * - the recipient's domain: MTA-STS (RFC 8461). `enforce`: only hosts of the policy, TLS 1.2, a certificate that holds;
 *   `testing`: what would have failed is logged, and the mail is delivered; and DANE (RFC 7672), where a resolver that
 *   validates is named: TLSA records decide instead of authorities and MTA-STS.
 *
 * What does not meet its terms is put off with 4.7.x and expires with the message: it never leaves in plaintext. Domains
 * that were seen with TLS are remembered; one that comes without is logged, or put off (tlsPolicy.memory).
 *
 * Of domains that ask for reports (RFC 8460) it counts what came of TLS, by day, in Redis; the api reports it.
 *
 * Trusts: tlsPolicy.validatingNameserver for what DNSSEC protects; the DNS for "there is no policy", as RFC 8461 does. A
 * policy that was fetched holds for its max_age.
 * Settings: tlsPolicy.*, tlsReports.from, mta.nameservers, redis.url.
 */

import type { X509Certificate } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Settings } from '../config/schema.ts';
import type { Logger } from '../lib/log.ts';
import type { Connection, Delivery, Plugin } from '../lib/mta-types.ts';
import { guard, HookRefusal, pluginContext } from '../lib/plugin.ts';
import { trustAuthorities } from '../lib/tls/authorities.ts';
import { matchesTlsa, type TlsaFinding } from '../lib/tls/dane.ts';
import { openTlsQuestions, type TlsQuestions } from '../lib/tls/questions.ts';
import { createResultCounter } from '../lib/tls/result-counter.ts';
import { allowsMx, type StsPolicy } from '../lib/tls/sts-policy.ts';
import { type DaneResult, findViolation, type TlsFacts, type TlsTerms } from '../lib/tls/violation.ts';

export const title = 'tls-policy';

export const replies = {
  noTls: { code: 451, enhanced: '4.7.4', text: 'TLS is required, and the server of the recipient has none' },
  badCertificate: {
    code: 451,
    enhanced: '4.7.5',
    text: 'TLS is required, and the certificate does not hold',
  },
  oldTls: {
    code: 451,
    enhanced: '4.7.5',
    text: 'TLS 1.2 is required, and the server of the recipient is older',
  },
  foreignMx: { code: 451, enhanced: '4.7.5', text: 'No MX host of the domain is in its MTA-STS policy' },
  noTlsa: { code: 451, enhanced: '4.7.5', text: 'The TLSA records of the MX host cannot be validated' },
  tlsaMismatch: { code: 451, enhanced: '4.7.5', text: 'The certificate is not that of the TLSA records' },
  tlsGone: {
    code: 451,
    enhanced: '4.7.4',
    text: 'The server of the recipient had TLS before, and has none now',
  },
} as const;

const DAY_SECONDS = 86_400;
/** No chain of a server is longer. */
const MAX_CHAIN = 10;
const MAX_NOTED = 100_000;
/** As long another process' finding of TLS may go unheard of here. */
const UNSEEN_MS = 60_000;

export async function init(plugin: Plugin): Promise<void> {
  const { settings, log } = pluginContext();
  trustAuthorities(settings);
  const policy = createTlsHooks(openTlsQuestions(settings, log), settings.tlsPolicy, log);
  plugin.addHook('sender:fetch', guard('sender:fetch', log, policy.choose));
  plugin.addHook('sender:headers', guard('sender:headers', log, policy.check));
}

/** `choose`: the terms, before the connection. `check`: whether the connection meets them, before the message. */
export function createTlsHooks(
  { findSts, resolveMx, memory, findTlsa: findRecords, wantsReports }: TlsQuestions,
  settings: Settings['tlsPolicy'],
  log: Pick<Logger, 'warn'>,
) {
  const termsOf = new WeakMap<Delivery, TlsTerms>();
  const countResult = wantsReports && createResultCounter({ wantsReports, memory });

  async function choose(delivery: Delivery): Promise<void> {
    if (delivery.postern.ignoresTlsPolicy) {
      delivery.tlsTerms = 'opportunistic';
      return;
    }
    const isRequired = delivery.postern.requiresTls === true;
    const { policy, failure } = settings.mtaSts ? await findSts(delivery.domain) : {};
    if (failure) log.warn({ domain: delivery.domain, reason: failure }, 'tls.policy_not_fetched');
    termsOf.set(delivery, { isRequired, policy });
    // Who is strict does not take a connection that somebody else opened with less.
    delivery.tlsTerms = isRequired || policy?.mode === 'enforce' ? 'verified' : 'opportunistic';
    if (policy?.mode === 'enforce') delivery.mx = await chooseHosts(delivery.domain, policy);
  }

  /** An MX host that the policy does not name is passed over (RFC 8461 5). */
  async function chooseHosts(domain: string, policy: StsPolicy) {
    const found = await resolveMx(domain);
    const hosts = found.length > 0 ? found : [{ exchange: domain, priority: 0 }]; // RFC 5321 5.1
    const allowed = hosts.filter(({ exchange }) => allowsMx(policy, exchange.toLowerCase()));
    if (allowed.length === 0) throw new HookRefusal(replies.foreignMx);
    return allowed.toSorted((a, b) => a.priority - b.priority);
  }

  async function check(delivery: Delivery, connection: Connection): Promise<void> {
    const { domain, claim, postern } = delivery;
    if (postern.ignoresTlsPolicy) return;
    const facts = await addDane(domain, connection, readFacts(delivery, connection));
    const terms = termsOf.get(delivery) ?? { isRequired: delivery.postern.requiresTls === true };
    await countResult?.(delivery, connection, terms.policy, facts);
    const violation = findViolation(terms, facts);
    if (violation) throw new HookRefusal(replies[violation]);
    if (terms.policy?.mode === 'testing') {
      const failure = findViolation(
        { isRequired: false, policy: { ...terms.policy, mode: 'enforce' } },
        facts,
      );
      if (failure)
        log.warn({ domain, mx: facts.mx, failure, attempt: claim.attempt }, 'tls.policy_testing_failed');
    }
    await compareWithPast(domain, facts);
  }

  async function addDane(domain: string, connection: Connection, facts: TlsFacts): Promise<TlsFacts> {
    const found = await findRecords?.(domain, facts.mx);
    return found ? { ...facts, dane: judgeDane(found, connection, facts.mx) } : facts;
  }

  async function compareWithPast(domain: string, { mx, version }: TlsFacts): Promise<void> {
    if (settings.memory === 'off') return;
    const key = `postern:tls:seen:${domain}`;
    if (version !== null) return remember(key, version);
    if (unseen.has(key)) return;
    const before = await memory.get(key);
    if (before === undefined) return void unseen.set(key, true);
    log.warn({ domain, mx, before }, 'tls.gone');
    if (settings.memory === 'defer') throw new HookRefusal(replies.tlsGone);
  }

  /** Domains with no TLS that nobody has seen with it: asked for once a minute, not for each message. */
  const unseen = new LRUCache<string, true>({ max: MAX_NOTED, ttl: UNSEEN_MS });
  const remembered = new LRUCache<string, true>({ max: MAX_NOTED, ttl: DAY_SECONDS * 1_000 });
  /** Once a day and process is enough. */
  async function remember(key: string, version: string): Promise<void> {
    if (remembered.has(key)) return;
    remembered.set(key, true);
    unseen.delete(key);
    await memory.set(key, version, settings.memoryDays * DAY_SECONDS);
  }

  return { choose, check };
}

function judgeDane(found: TlsaFinding, { _socket: socket }: Connection, mx: string): DaneResult {
  if (!found.ok) return 'unknown';
  if (found.records.length === 0) return 'none';
  const isMatch = matchesTlsa(found.records, readChain(socket?.getPeerX509Certificate?.()), mx);
  if (isMatch === undefined) return 'unusable';
  return isMatch ? 'matched' : 'mismatched';
}

function readChain(leaf: X509Certificate | undefined): X509Certificate[] {
  const chain: X509Certificate[] = [];
  for (let next = leaf; next && chain.length < MAX_CHAIN; next = next.issuerCertificate) chain.push(next);
  return chain;
}

function readFacts(delivery: Delivery, { options, secure, _socket: socket }: Connection): TlsFacts {
  return {
    mx: (options.servername || delivery.mxHostname || options.host || '').toLowerCase(),
    version: (secure && socket?.getProtocol?.()) || null,
    isAuthorized: socket?.authorized === true,
  };
}
