/** The api, its worker, and what they hold organizations to. */
import Type from 'typebox';
import { port, positive, rate, section } from '../fields.ts';

export const api = section({
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
});

export const worker = section({
  port: port(3001, 'Health and metrics'),
  concurrency: positive(10, 'Jobs of one kind that a worker runs at a time'),
});

export const webhooks = section({
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
});

export const storage = section({
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
});

export const limits = section({
  maxMessageBytes: positive(31_457_280, 'Largest composed message, 30 MB (contract 1.2)'),
  maxToRecipients: positive(50, 'Addresses in one header field of a send request (contract 1.2)'),
  maxEnvelopeRecipients: positive(
    1000,
    'Recipients of one SMTP transaction (RFC 5321 4.5.3.1.8: at least 100)',
  ),
  tokenMessagesPerMinute: positive(60_000, 'Messages that one API token may send, over HTTP and SMTP (RS-5)'),
  organizationMessagesPerMinute: positive(
    120_000,
    'Messages of one organization, where none is set for it; over HTTP and SMTP (RS-5)',
  ),
  addressFailuresPerMinute: positive(
    300,
    'Requests to the api from one address that name no route or no valid token; then 429 (AP-7)',
  ),
});

export const suppressions = section({
  bouncedDays: Type.Integer({
    minimum: 0,
    maximum: 36_500,
    default: 365,
    description: 'How long a recipient is blocked after a hard bounce; 0: until somebody removes it',
  }),
});

export const reports = section({
  delayAfterSeconds: positive(
    14_400,
    'How long a message by SMTP waits before its sender is told by mail, where the organization asks for that',
  ),
});

export const abuse = section({
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
});
