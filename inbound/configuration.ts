/**
 * Haraka's configuration folder, made from our settings at each start under `<directory>/inbound`, and its list of
 * plugins. Our own lie in inbound/plugins, to which the folder has a link. docs/inbound.md says why each of Haraka's.
 */
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Settings } from '../config/schema.ts';
import type { Certificate } from '../lib/certificate.ts';
import { MAX_HEADER_LINES } from './incoming-message.ts';

/** Over it Haraka folds a line, which breaks DKIM: such a message is refused (inbound/connection-rules.ts). */
const MAX_DATA_LINE_BYTES = 65_536;
const MAX_COMMAND_LINE_BYTES = 2_048;
const MAX_RECEIVED_FIELDS = 100;
/** Of RFC 7919, A.1; Haraka would make one with openssl, which takes minutes. */
const FFDHE2048 = `-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
`;

/** The files by name, and their content. */
export function createConfiguration(settings: Settings): Record<string, string> {
  const { inbound, limits } = settings;
  const hostname = inbound.hostname || settings.hostname;
  return {
    me: hostname,
    plugins: listPlugins(settings).join('\n'),
    plugin_timeout: '30',
    'log.ini': ini({ main: { level: 'warn', format: 'DEFAULT', timestamps: false } }),
    'smtp.ini': ini({
      main: {
        listen: `${inbound.host.includes(':') ? `[${inbound.host}]` : inbound.host}:${inbound.port}`,
        nodes: 0, // one process: ours are started by inbound/start.ts
        inactivity_timeout: Math.ceil(inbound.dataTimeoutMs / 1_000),
      },
    }),
    'connection.ini': ini({
      main: { smtputf8: true },
      haproxy: { enabled: inbound.trustedProxies.length > 0, 'hosts[]': inbound.trustedProxies },
      headers: {
        add_received: false,
        clean_auth_results: false,
        show_version: false,
        max_lines: MAX_HEADER_LINES,
        max_received: MAX_RECEIVED_FIELDS,
      },
      max: {
        bytes: limits.maxMessageBytes,
        line_length: MAX_COMMAND_LINE_BYTES,
        data_line_length: MAX_DATA_LINE_BYTES,
      },
      message: { 'greeting[]': ['Postern'], helo: 'at your service', close: 'closing connection' },
      uuid: { banner_chars: 0, deny_chars: 0 },
    }),
    'tls.ini': ini({ main: { minVersion: 'TLSv1.2', requestCert: false } }),
    'dhparams.pem': FFDHE2048,
    'early_talker.ini': ini({ main: { pause: inbound.greetingDelayMs / 1_000, reject: true } }),
    // Only what no honest server does: a name that is somebody else's, an address that is not the client's.
    'helo.checks.ini': ini({
      check: { big_company: true, literal_mismatch: 1, bare_ip: true },
      reject: {
        ...{ big_company: true, literal_mismatch: true, bare_ip: true },
        ...{ host_mismatch: false, proto_mismatch: false, rdns_match: false },
        ...{ dynamic: false, valid_hostname: false, forward_dns: false },
      },
      skip: { private_ip: true },
    }),
    'dns-list.ini': ini({ main: { 'zones[]': inbound.dnsLists, periodic_checks: 0, search: 'first' } }),
    ...createScannerFiles(settings),
  };
}

/** Their verdicts go with the message; what is refused, and with which words, is decided by plugins/deliver. */
function createScannerFiles({ spam, virus, limits }: Settings): Record<string, string> {
  const { hostname, port } = new URL(spam.url);
  const everybody = { authenticated: true, private_ip: true, local_ip: true, relay: true };
  return {
    'rspamd.ini': ini({
      main: { host: hostname, port: port || 80, add_headers: 'never', timeout: 20 },
      check: everybody,
      reject: { spam: false },
      soft_reject: { enabled: false },
      rewrite_subject: { enabled: false },
      rmilter_headers: { enabled: false },
      dkim: { enabled: false },
      defer: { error: spam.onFailure === 'defer', timeout: spam.onFailure === 'defer' },
    }),
    'clamd.ini': ini({
      main: {
        clamd_socket: virus.socket || `${virus.host}:${virus.port}`,
        timeout: 20,
        max_size: Math.max(virus.maxBytes, limits.maxMessageBytes),
      },
      reject: { virus: true, error: virus.onFailure === 'defer' },
      check: everybody,
    }),
  };
}

function listPlugins({ inbound }: Settings): string[] {
  return [
    'session',
    ...(inbound.greetingDelayMs > 0 ? ['early_talker'] : []),
    ...(inbound.dnsLists.length > 0 ? ['dns-list'] : []),
    'helo.checks',
    'tls',
    'recipients',
    'authentication',
    ...(inbound.checksViruses ? ['clamd'] : []),
    ...(inbound.checksSpam ? ['rspamd'] : []),
    'deliver',
  ];
}

/**
 * @param certificate the one to begin with; renewed ones are put in its place while it runs
 * @returns the folder, for the variable HARAKA
 */
export function writeConfiguration(settings: Settings, certificate: Certificate): string {
  const folder = join(settings.directory, 'inbound');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, 'config'), { recursive: true });
  mkdirSync(join(folder, 'queue')); // of Haraka's own outbound server, which is not used and looks for it
  symlinkSync(join(import.meta.dirname, 'plugins'), join(folder, 'plugins'));
  const files = {
    ...createConfiguration(settings),
    'tls_cert.pem': certificate.cert,
    'tls_key.pem': certificate.key,
  };
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(folder, 'config', name), content, { mode: 0o600 });
  }
  return folder;
}

type Value = string | number | boolean | readonly string[];

function ini(sections: Record<string, Record<string, Value>>): string {
  return Object.entries(sections)
    .map(([name, values]) => {
      const lines = Object.entries(values).flatMap(([key, value]) =>
        typeof value === 'object' ? value.map((one) => `${key}=${one}`) : [`${key}=${value}`],
      );
      return `[${name}]\n${lines.join('\n')}\n`;
    })
    .join('\n');
}
