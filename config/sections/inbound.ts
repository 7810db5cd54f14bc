/** Mail that comes in. */
import Type from 'typebox';
import { port, positive, section } from '../fields.ts';

export const inbound = section({
  host: Type.String({ default: '127.0.0.1', description: 'Address the inbound server listens on' }),
  port: port(1025, 'SMTP, 25 in production'),
  hostname: Type.String({
    default: '',
    description: 'What the MX records of receiving domains name; empty: hostname',
  }),
  monitorPort: port(3004, 'Health and metrics'),
  complaintReporters: Type.Array(Type.String({ pattern: '^[a-z0-9.-]+$' }), {
    default: [
      'yahoo.com',
      'yahooinc.com',
      'hotmail.com',
      'outlook.com',
      'microsoft.com',
      'validity.com',
      'comcast.net',
    ],
    description:
      'Domains whose authenticated complaints are believed without a signed return path in them; those of their subdomains as well',
  }),
  reportDays: positive(90, 'How long DMARC and TLS reports about domains are kept'),
  workers: Type.Integer({
    minimum: 0,
    maximum: 64,
    default: 0,
    description: 'Processes that receive; 0: one a core',
  }),
  nameservers: Type.Array(Type.String(), {
    default: [],
    description:
      'host or host:port, for SPF, DKIM, DMARC and names of clients; empty: of the system, outside production the sandbox',
  }),
  trustedProxies: Type.Array(Type.String(), {
    default: [],
    description:
      'Addresses or networks of balancers that speak the PROXY protocol (v1); from others it is refused',
  }),
  certificateFile: Type.String({ default: '', description: 'PEM chain; empty: that of the gateway' }),
  privateKeyFile: Type.String({ default: '', description: 'PEM private key of the certificate' }),
  checksSpam: Type.Boolean({
    default: false,
    description: 'Shows each message to the rspamd of spam.url; its score goes with the message',
  }),
  checksViruses: Type.Boolean({
    default: false,
    description: 'Shows each message to the clamd of virus.*, and refuses infected ones',
  }),
  confirmsForwards: Type.Boolean({
    default: true,
    description:
      'Whether an address outside of the domains of an organization has to agree before mail is forwarded to it (docs/forwarding.md)',
  }),
  dnsLists: Type.Array(Type.String(), {
    default: [],
    description: 'DNS block lists; a client that stands on one is refused',
  }),
  greetingDelayMs: Type.Integer({
    minimum: 0,
    maximum: 30_000,
    default: 500,
    description:
      'How long a client from a public address waits for its greeting; who speaks before is refused',
  }),
  maxConnections: positive(1000, 'Sessions at a time over all processes'),
  maxConnectionsPerClient: positive(50, 'Sessions at a time from one address, IPv6: /64 (RS-4)'),
  maxConnectionsPerClientPerMinute: positive(1000, 'New sessions from one address in a minute (RS-4)'),
  maxBufferedBytes: positive(
    134_217_728,
    'Message bytes that one process holds in memory at a time; beyond it 452 4.3.1',
  ),
  commandTimeoutMs: positive(60_000, 'Longest wait for one command, however slowly it drips in (RS-1)'),
  dataTimeoutMs: positive(540_000, 'Longest DATA; under ten minutes (RS-1)'),
  sessionTimeoutMs: positive(1_800_000, 'Longest session (RS-1)'),
  minDataBytesPerSecond: positive(500, 'A message that comes in more slowly is ended (RS-2)'),
  dataRateWindowMs: positive(60_000, 'The time over which minDataBytesPerSecond is measured'),
});
