/** How mail leaves: the mta, its queue, and what it keeps to. */
import Type from 'typebox';
import { port, positive, section } from '../fields.ts';

export const tlsPolicy = section({
  mtaSts: Type.Boolean({
    default: true,
    description: 'Whether the policies of recipients (RFC 8461) are asked for and kept to',
  }),
  policyPort: port(443, 'Where the hosts of policies are asked; outside production the sandbox'),
  validatingNameserver: Type.String({
    default: '',
    description:
      'host or host:port of a resolver that validates DNSSEC, best on this machine; TLSA records (DANE, RFC 7672) are asked of it; empty: no DANE, outside production the sandbox',
  }),
  caFile: Type.String({
    default: '',
    description:
      'PEM of authorities to trust beside those that Node brings: of MX hosts, policy hosts and endpoints',
  }),
  memory: Type.Enum(['off', 'flag', 'defer'], {
    default: 'flag',
    description:
      'What happens when a domain that had TLS has none: nothing, a line in the log, or the mail waits',
  }),
  memoryDays: positive(30, 'How long it is remembered that a domain had TLS'),
});

export const tlsReports = section({
  from: Type.String({
    pattern: '^$|^[^@\\s]+@[^@\\s]+$',
    default: '',
    description:
      'Sender of daily reports about TLS (RFC 8460) to domains that ask for them, an address of a domain of this installation; empty: none is sent',
  }),
  organizationName: Type.String({ default: 'Postern', description: 'Who reports' }),
});

export const queue = section({
  backend: Type.Enum(['postgres', 'mongodb'], {
    default: 'postgres',
    description: 'postgres is ours; mongodb leaves the stock queue of ZoneMTA in place',
  }),
  url: Type.String({
    pattern: '^postgres(ql)?://',
    default: 'postgres://postern:postern@127.0.0.1:15432/postern_queue',
    description: 'The queue database, of the mta alone; QUEUE_DATABASE_URL names one of your own',
  }),
  mongodbUrl: Type.String({ default: '', description: 'Only with backend mongodb' }),
  maxConnections: positive(6, 'Connections a process of the mta may hold'),
  leaseSeconds: Type.Integer({
    minimum: 5,
    maximum: 3600,
    default: 30,
    description: 'How long after its last sign of life a sender loses its claims',
  }),
  lifetimeSeconds: positive(172_800, 'Age at which an undelivered message expires; 48 hours (contract 6)'),
  retryDelaysSeconds: Type.Array(Type.Integer({ minimum: 1 }), {
    minItems: 1,
    default: [60, 300, 600, 1200, 1800, 3600, 3600, 7200, 7200, 14_400],
    description: 'Wait before attempt 2, 3, …; the last one repeats until the message expires',
  }),
});

export const pacing = section({
  enabled: Type.Boolean({
    default: false,
    description: 'Sends to each site at a pace that falls when replies ask for less, and rises again',
  }),
});

export const mta = section({
  intakeHost: Type.String({
    default: '127.0.0.1',
    description: 'Loopback only: the worker hands mail over here',
  }),
  intakePort: port(1026, 'SMTP intake'),
  apiPort: port(12080, "ZoneMTA's own HTTP API, loopback, without authentication"),
  queueServerPort: port(12081, "ZoneMTA's internal queue server, loopback"),
  controlPort: port(3003, 'Control, health and metrics'),
  senderProcesses: positive(1, 'Sender processes of the default zone'),
  connections: positive(50, 'Deliveries at a time in one sender process'),
  maxConnectionsPerDomain: positive(10, 'Deliveries at a time to one recipient domain'),
  nameservers: Type.Array(Type.String(), {
    default: [],
    description: 'host or host:port; empty: of the system',
  }),
  remotePort: port(25, 'Port of the MX hosts; the sandbox port outside production'),
  returnPathDomain: Type.String({
    default: 'bounces.postern.test',
    description: 'Domain of the envelope senders, bounces+<token>@…; its MX is the inbound server',
  }),
  feedbackSenderId: Type.String({
    pattern: '^$|^[A-Za-z0-9._-]{5,15}$',
    default: 'postern',
    description:
      'Last field of the Feedback-ID that messages without one get (docs/dkim.md), the same for all of an installation; empty: they get none',
  }),
});

export const pools = section({
  blockSeconds: positive(
    3_600,
    'How long an address is left alone at a site that blames it; twice as long at each further time',
  ),
  maxBlockSeconds: positive(86_400, 'Longest such time; a calm time of this length is forgiven'),
  blocklists: Type.Array(Type.String({ pattern: '^[a-z0-9.-]{1,200}$' }), {
    default: ['zen.spamhaus.org', 'b.barracudacentral.org', 'bl.spamcop.net'],
    description: 'DNS blocklists that the addresses of pools are looked up in',
  }),
  probeHost: Type.String({
    default: 'gmail-smtp-in.l.google.com',
    description:
      'A host whose mta.remotePort shows whether an address can send; outside production the sandbox',
  }),
});
