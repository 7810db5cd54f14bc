/**
 * Postfix' configuration for the benchmarks: a relay to the sink that signs, or a server that takes mail in and throws
 * it away behind the queue. Durable as Postfix always is (it syncs each queue file), every service unchrooted, limits
 * raised so that concurrency does not bind. Pure text, for tests and readers.
 */

import { SELECTOR } from '../world/api.ts';
import { HOSTNAME, listDestinations, SENDER_DOMAIN } from '../world/names.ts';

export interface PostfixFacts {
  directory: string;
  intakePort: number;
  /** Undefined: no milter, nothing is signed. */
  milterPort?: number | undefined;
  /** Undefined: what is accepted is discarded (discard(8)). */
  sinkPort?: number | undefined;
  /** Deliveries at a time, to one destination and in all. */
  concurrency: number;
  destinations: number;
  /** Of the user `postfix`. */
  account: { uid: number; gid: number };
}

/** What differs from Postfix' defaults, by postconf(5). */
export function formatMain(facts: PostfixFacts): string {
  const { directory, concurrency, milterPort, sinkPort } = facts;
  const settings = {
    compatibility_level: '3.6',
    queue_directory: `${directory}/queue`,
    data_directory: `${directory}/data`,
    daemon_directory: '/usr/lib/postfix/sbin',
    command_directory: '/usr/sbin',
    meta_directory: '/etc/postfix', // only the list of what a queue directory contains
    maillog_file: `${directory}/maillog`,
    maillog_file_prefixes: directory,
    myhostname: HOSTNAME,
    mydestination: '',
    alias_maps: '',
    inet_interfaces: '127.0.0.1',
    inet_protocols: 'ipv4',
    mynetworks: '127.0.0.0/8',
    smtpd_peername_lookup: 'no',
    smtpd_client_connection_count_limit: '0',
    smtp_dns_support_level: 'disabled',
    transport_maps: `texthash:${directory}/transport`,
    default_process_limit: '200',
    default_destination_concurrency_limit: String(concurrency),
    initial_destination_concurrency: String(concurrency),
    ...(sinkPort === undefined && { default_transport: 'discard:' }),
    ...(milterPort !== undefined && {
      smtpd_milters: `inet:127.0.0.1:${milterPort}`,
      milter_default_action: 'tempfail', // rather fail than send unsigned
    }),
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name} = ${value}\n`)
    .join('');
}

/** Debian's master.cf without chroots, local delivery and uucp. */
export function formatMaster({ intakePort, concurrency }: PostfixFacts): string {
  const service = (name: string, isPrivate: '-' | 'n', wakeup: string, limit: string, command = name) =>
    `${name} unix ${isPrivate} - n ${wakeup} ${limit} ${command}\n`;
  return [
    `127.0.0.1:${intakePort} inet n - n - - smtpd\n`,
    service('pickup', 'n', '60', '1'),
    service('cleanup', 'n', '-', '0'),
    service('qmgr', 'n', '300', '1'),
    service('tlsmgr', '-', '1000?', '1'),
    service('rewrite', '-', '-', '-', 'trivial-rewrite'),
    ...['bounce', 'defer', 'trace'].map((name) => service(name, '-', '-', '0', 'bounce')),
    service('verify', '-', '-', '1'),
    service('flush', 'n', '1000?', '0'),
    service('proxymap', '-', '-', '-'),
    service('smtp', '-', '-', String(concurrency)),
    service('showq', 'n', '-', '-'),
    ...['error', 'retry'].map((name) => service(name, '-', '-', '-', 'error')),
    service('discard', '-', '-', '-'),
    service('anvil', '-', '-', '1'),
    service('scache', '-', '-', '1'),
    'postlog unix-dgram n - n - 1 postlogd\n',
  ].join('');
}

/** RSA-2048 by the key file, relaxed/relaxed, as plugins/dkim signs. */
export function formatOpendkim({ directory, milterPort }: PostfixFacts): string {
  return [
    'Syslog no',
    'RequireSafeKeys no', // a directory above may belong to somebody else: /tmp
    'Mode s',
    'Canonicalization relaxed/relaxed',
    'SignatureAlgorithm rsa-sha256',
    'OversignHeaders From',
    `Socket inet:${milterPort}@127.0.0.1`,
    `KeyTable file:${directory}/KeyTable`,
    `SigningTable refile:${directory}/SigningTable`,
    '',
  ].join('\n');
}

/** Look-up tables, by file name. */
export function listTables({ directory, destinations, sinkPort }: PostfixFacts): Record<string, string> {
  const names = listDestinations(destinations);
  return {
    transport: (sinkPort === undefined ? [] : names)
      .map((name) => `${name} smtp:[127.0.0.1]:${sinkPort}\n`)
      .join(''),
    KeyTable: `${SELECTOR} ${SENDER_DOMAIN}:${SELECTOR}:${directory}/dkim.pem\n`,
    SigningTable: `*@${SENDER_DOMAIN} ${SELECTOR}\n`,
  };
}
