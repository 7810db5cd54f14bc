/**
 * Every setting of Postern: its type, its default and its meaning. This is the only place that knows them.
 *
 * Settings come from three places, later ones win: the defaults here, `postern.toml` in the installation's
 * directory (or the file named by POSTERN_CONFIG), and the environment for secrets and host facts
 * (see environment.ts). Units are in the names.
 */
import Type, { type Static } from 'typebox';

const port = (value: number, description: string) =>
  Type.Integer({ minimum: 1, maximum: 65535, default: value, description });
const rate = (value: number, description: string) =>
  Type.Number({ exclusiveMinimum: 0, maximum: 1, default: value, description });
const positive = (value: number, description: string) =>
  Type.Integer({ minimum: 1, default: value, description });
const section = <T extends Record<string, Type.TSchema>>(properties: T) =>
  Type.Object(properties, { additionalProperties: false, default: {} });

export const settingsSchema = Type.Object(
  {
    environment: Type.Enum(['development', 'test', 'production'], {
      default: 'development',
      description: 'Outside production all mail goes to the sandbox and missing secrets are made by bin/up',
    }),
    directory: Type.String({ default: 'var', description: 'Where this installation keeps what it writes' }),
    instanceId: Type.String({
      pattern: '^[a-z0-9-]{1,40}$',
      default: 'local',
      description: 'Names this machine in queue leases and events; unique among mta machines',
    }),
    hostname: Type.String({
      minLength: 1,
      default: 'postern.test',
      description: 'The name this host gives in SMTP greetings; forward and reverse DNS should agree on it',
    }),

    log: section({
      level: Type.Enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'], {
        default: 'info',
        description: 'Least severe level that is written',
      }),
    }),

    database: section({
      url: Type.String({
        pattern: '^postgres(ql)?://',
        default: 'postgres://postern:postern@127.0.0.1:15432/postern',
        description: 'The app database, of the api and the worker; DATABASE_URL names one of your own',
      }),
      maxConnections: positive(10, 'Connections a process of the api may hold'),
    }),

    redis: section({
      url: Type.String({
        pattern: '^rediss?://',
        default: 'redis://127.0.0.1:16379/0',
        description:
          'Cache, and blocks of addresses, which should outlive a restart; REDIS_URL names one of your own',
      }),
    }),

    secrets: section({
      key: Type.String({
        default: '',
        description:
          'Master key, 32 bytes in base64; all other keys are derived from it. Two with a comma between during a rotation (docs/secrets.md): the first seals, both open',
      }),
      serviceToken: Type.String({ default: '', description: 'Bearer token of service-to-service RPC' }),
      intakePassword: Type.String({ default: '', description: 'What the worker shows to the mta intake' }),
      storageAccessKeyId: Type.String({ default: '', description: 'With storage.endpoint' }),
      storageSecretKey: Type.String({ default: '', description: 'With storage.endpoint' }),
    }),

    api: section({
      host: Type.String({ default: '127.0.0.1', description: 'Address the api listens on' }),
      port: port(3000, 'Port the api listens on'),
      url: Type.String({
        pattern: '^https?://',
        default: 'http://127.0.0.1:3000',
        description: 'Where the other services reach the api',
      }),
      publicUrl: Type.String({
        pattern: '^$|^https?://[^\\s?#]+$',
        default: '',
        description:
          'Where recipients reach the api to unsubscribe, https://…; empty: api.url, in production no such links',
      }),
      trustedProxies: Type.Array(Type.String(), {
        default: [],
        description: 'Addresses or networks whose X-Forwarded-For is believed: your reverse proxies (AP-4)',
      }),
      headersTimeoutMs: positive(15_000, 'Longest wait for the header of a request (AP-2)'),
      requestTimeoutMs: positive(60_000, 'Longest wait for a whole request (AP-2)'),
    }),

    worker: section({
      port: port(3001, 'Health and metrics'),
      concurrency: positive(10, 'Jobs of one kind that a worker runs at a time'),
    }),

    webhooks: section({
      allowHttp: Type.Boolean({ default: false, description: 'Endpoints without TLS; for development' }),
      allowLoopback: Type.Boolean({
        default: false,
        description: 'Endpoints on 127.0.0.0/8 and ::1; for development, refused in production',
      }),
      deniedNetworks: Type.Array(Type.String(), {
        default: [],
        description:
          'Addresses and networks (CIDR) that no webhook may reach, beside private ones and those of the machine',
      }),
      nameservers: Type.Array(Type.String(), {
        default: [],
        description: 'host or host:port, for the names of endpoints; empty: of the system',
      }),
      timeoutMs: Type.Integer({
        minimum: 100,
        maximum: 15_000,
        default: 15_000,
        description: 'Longest attempt, from the look-up of the name to the end of the answer',
      }),
      concurrency: positive(500, 'Attempts at a time in one worker'),
      concurrencyPerEndpoint: positive(
        20,
        'Attempts at a time to one endpoint by one worker; 1 while the endpoint fails',
      ),
      maxPayloadBytes: Type.Integer({
        minimum: 4096,
        maximum: 1_048_576,
        default: 20_480,
        description: 'Longest body of a webhook; what is longer loses the ends of its longest fields',
      }),
      retentionDays: positive(30, 'How long deliveries are kept, for a look and for replay'),
      notificationAddress: Type.String({
        pattern: '^$|^[^@\\s]+@[^@\\s]+$',
        default: '',
        description:
          'Sender of mails to owners of failing endpoints, an address of a domain of this installation; empty: none is sent',
      }),
    }),

    storage: section({
      endpoint: Type.String({
        pattern: '^$|^https?://',
        default: '',
        description:
          'URL of a bucket that speaks S3, as https://s3.example.com/bucket, for the sources of ended messages; empty: they stay in Postgres',
      }),
      region: Type.String({ minLength: 1, default: 'auto', description: 'As the storage calls it' }),
      moveAfterSeconds: Type.Integer({
        minimum: 0,
        default: 600,
        description: 'How long the source of an ended message stays in Postgres, where webhooks read it',
      }),
      timeoutMs: positive(20_000, 'Longest request to the storage'),
    }),

    limits: section({
      maxMessageBytes: positive(31_457_280, 'Largest composed message, 30 MB (contract 1.2)'),
      maxToRecipients: positive(50, 'Addresses in one header field of a send request (contract 1.2)'),
      maxEnvelopeRecipients: positive(
        1000,
        'Recipients of one SMTP transaction (RFC 5321 4.5.3.1.8: at least 100)',
      ),
      tokenMessagesPerMinute: positive(
        60_000,
        'Messages that one API token may send, over HTTP and SMTP (RS-5)',
      ),
      organizationMessagesPerMinute: positive(
        120_000,
        'Messages of one organization, where none is set for it; over HTTP and SMTP (RS-5)',
      ),
      addressFailuresPerMinute: positive(
        300,
        'Requests to the api from one address that name no route or no valid token; then 429 (AP-7)',
      ),
    }),

    suppressions: section({
      bouncedDays: Type.Integer({
        minimum: 0,
        maximum: 36_500,
        default: 365,
        description: 'How long a recipient is blocked after a hard bounce; 0: until somebody removes it',
      }),
    }),

    spam: section({
      engine: Type.Enum(['none', 'rspamd'], {
        default: 'none',
        description:
          'What checks messages before they are queued; bin/up chooses rspamd where it is installed',
      }),
      url: Type.String({
        pattern: '^https?://',
        default: 'http://127.0.0.1:11343',
        description: 'The normal worker of rspamd; RSPAMD_URL names one of your own',
      }),
      controllerUrl: Type.String({
        pattern: '^https?://',
        default: 'http://127.0.0.1:11344',
        description: 'The controller of rspamd, which learns from reviews',
      }),
      onFailure: Type.Enum(['defer', 'accept'], {
        default: 'defer',
        description: 'What happens to a message that cannot be checked: it waits, or it is sent unchecked',
      }),
      markScore: Type.Number({ default: 6, description: 'From here a message gets X-Spam: Yes' }),
      holdScore: Type.Number({
        default: 10,
        description: 'From here it is held until somebody has looked at it',
      }),
      refuseScore: Type.Number({ default: 15, description: 'From here it is not sent' }),
    }),

    virus: section({
      engine: Type.Enum(['none', 'clamd'], {
        default: 'none',
        description: 'What looks for viruses in messages before they are queued',
      }),
      host: Type.String({ default: '127.0.0.1', description: 'TCPAddr of clamd' }),
      port: port(3310, 'TCPSocket of clamd'),
      socket: Type.String({
        pattern: '^$|^/',
        default: '',
        description: 'LocalSocket of clamd, a path that the mta may write to; empty: host and port',
      }),
      onFailure: Type.Enum(['defer', 'accept'], {
        default: 'defer',
        description: 'What happens to a message that cannot be checked: it waits, or it is sent unchecked',
      }),
      maxBytes: positive(
        33_554_432,
        'Longer messages are not shown to clamd, and are held, or sent with onFailure accept; no more than its StreamMaxLength',
      ),
    }),

    reports: section({
      delayAfterSeconds: positive(
        14_400,
        'How long a message by SMTP waits before its sender is told by mail, where the organization asks for that',
      ),
    }),

    abuse: section({
      enabled: Type.Boolean({
        default: true,
        description: 'Whether organizations whose mail is not wanted are throttled, then suspended',
      }),
      windowsSeconds: Type.Array(Type.Integer({ minimum: 60, maximum: 2_592_000 }), {
        minItems: 1,
        maxItems: 5,
        default: [3_600, 86_400],
        description: 'The sliding windows over which rates are taken; each may trip',
      }),
      minRecipients: positive(1000, 'A window with fewer says nothing'),
      spamThrottleRate: rate(0.02, 'Refused for spam or a virus, of all: throttled from here'),
      spamSuspendRate: rate(0.1, 'The same: suspended from here'),
      bounceThrottleRate: rate(0.1, 'Bounced for good because of the address, of all: throttled from here'),
      bounceSuspendRate: rate(0.2, 'The same: suspended from here'),
      complaintThrottleRate: rate(0.003, 'Complaints, of what was delivered: throttled from here'),
      complaintSuspendRate: rate(0.01, 'The same: suspended from here'),
      throttledMessagesPerMinute: positive(60, 'What a throttled organization may send'),
      graceSeconds: positive(600, 'How long it is throttled at least before it is suspended'),
    }),

    tlsPolicy: section({
      mtaSts: Type.Boolean({
        default: true,
        description: 'Whether the policies of recipients (RFC 8461) are asked for and kept to',
      }),
      policyPort: port(443, 'Where the hosts of policies are asked'),
      validatingNameserver: Type.String({
        default: '',
        description:
          'host or host:port of a resolver that validates DNSSEC, best on this machine; TLSA records (DANE, RFC 7672) are asked of it; empty: no DANE',
      }),
      caFile: Type.String({
        default: '',
        description: 'PEM of authorities to trust beside those that Node brings: of MX and policy hosts',
      }),
      memory: Type.Enum(['off', 'flag', 'defer'], {
        default: 'flag',
        description:
          'What happens when a domain that had TLS has none: nothing, a line in the log, or the mail waits',
      }),
      memoryDays: positive(30, 'How long it is remembered that a domain had TLS'),
    }),

    tlsReports: section({
      from: Type.String({
        pattern: '^$|^[^@\\s]+@[^@\\s]+$',
        default: '',
        description:
          'Sender of daily reports about TLS (RFC 8460) to domains that ask for them, an address of a domain of this installation; empty: none is sent',
      }),
      organizationName: Type.String({ default: 'Postern', description: 'Who reports' }),
    }),

    gateway: section({
      host: Type.String({ default: '127.0.0.1', description: 'Address of the three submission listeners' }),
      starttlsPort: port(1587, 'Submission with STARTTLS, 587 in production'),
      tlsPort: port(1465, 'Submission with implicit TLS, 465 in production'),
      alternativePort: port(1525, 'Submission with STARTTLS, 2525 in production'),
      monitorPort: port(3002, 'Health and metrics'),
      certificateFile: Type.String({
        default: '',
        description: 'PEM chain; empty outside production: self-signed',
      }),
      privateKeyFile: Type.String({ default: '', description: 'PEM private key of the certificate' }),
      certificateCheckSeconds: positive(
        10,
        'How often both files are read again; a changed pair serves new sessions, a bad one is refused',
      ),
      maxConnections: positive(1000, 'Sessions at a time over all listeners'),
      maxConnectionsPerClient: positive(50, 'Sessions at a time from one address (RS-4)'),
      maxConnectionsPerClientPerMinute: positive(1000, 'New sessions from one address in a minute (RS-4)'),
      maxBufferedBytes: positive(
        134_217_728,
        'Message bytes a gateway holds in memory at a time; beyond it 452 4.3.1',
      ),
      maxAuthenticationFailures: positive(3, 'Failed AUTHs before the session is closed (AU-4)'),
      maxAuthenticationFailuresPerAccount: positive(
        10,
        'Failed AUTHs from one address (IPv6: /64) with one user name in a window, over all gateways, before it is refused (AU-3)',
      ),
      maxAuthenticationFailuresPerClient: positive(50, 'The same with any user name'),
      authenticationWindowSeconds: positive(60, 'The window of both'),
      authenticationBlockSeconds: positive(300, 'How long an address with too many failed AUTHs is refused'),
      authenticationKeyPrefix: Type.String({
        pattern: '^[!-~]{1,100}$',
        default: 'postern:auth',
        description: 'Of the counts in Redis; gateways that share one count together',
      }),
      authenticationDelayMs: positive(500, 'A failed AUTH is answered no sooner, whatever its reason (AU-1)'),
      commandTimeoutMs: positive(60_000, 'Longest wait for one command, however slowly it drips in (RS-1)'),
      dataTimeoutMs: positive(540_000, 'Longest DATA; under ten minutes (RS-1)'),
      sessionTimeoutMs: positive(1_800_000, 'Longest session (RS-1)'),
      minDataBytesPerSecond: positive(500, 'A message that comes in more slowly is ended (RS-2)'),
      dataRateWindowMs: positive(60_000, 'The time over which minDataBytesPerSecond is measured'),
    }),

    queue: section({
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
      lifetimeSeconds: positive(
        172_800,
        'Age at which an undelivered message expires; 48 hours (contract 6)',
      ),
      retryDelaysSeconds: Type.Array(Type.Integer({ minimum: 1 }), {
        minItems: 1,
        default: [60, 300, 600, 1200, 1800, 3600, 3600, 7200, 7200, 14_400],
        description: 'Wait before attempt 2, 3, …; the last one repeats until the message expires',
      }),
    }),

    pacing: section({
      enabled: Type.Boolean({
        default: false,
        description: 'Sends to each site at a pace that falls when replies ask for less, and rises again',
      }),
    }),

    mta: section({
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
    }),

    pools: section({
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
    }),

    inbound: section({
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
    }),

    sandbox: section({
      host: Type.String({
        default: '127.0.0.1',
        description: 'Loopback only: whoever reaches it is trusted',
      }),
      dnsPort: port(1053, 'DNS over UDP and TCP'),
      smtpPort: port(1030, 'Catch-all MX'),
      httpPort: port(3005, 'What arrived'),
    }),
  },
  { additionalProperties: false },
);

export type Settings = Static<typeof settingsSchema>;
