/**
 * Every setting of Postern: its type, its default and its meaning. Only this file, and sections/, know them.
 *
 * Settings come from three places, later ones win: the defaults here, `postern.toml` in the installation's
 * directory (or the file named by POSTERN_CONFIG), and the environment for secrets and host facts
 * (see environment.ts). Units are in the names.
 */
import Type, { type Static } from 'typebox';
import { port, positive, section } from './fields.ts';
import { abuse, api, limits, reports, storage, suppressions, webhooks, worker } from './sections/api.ts';
import { backup } from './sections/backup.ts';
import { certificates } from './sections/certificates.ts';
import { spam, virus } from './sections/checks.ts';
import { mta, pacing, pools, queue, tlsPolicy, tlsReports } from './sections/delivery.ts';
import { gateway } from './sections/gateway.ts';
import { inbound } from './sections/inbound.ts';
import { schedule } from './sections/schedule.ts';

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

    tracing: section({
      endpoint: Type.String({
        pattern: '^$|^https?://',
        default: '',
        description:
          'Where traces go by OTLP/HTTP (docs/tracing.md), as http://127.0.0.1:4318/v1/traces; empty: none are made',
      }),
      ratio: Type.Number({
        minimum: 0,
        maximum: 1,
        default: 1,
        description:
          'Share of messages that are traced; a request whose traceparent says so is traced always',
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
      backupAccessKeyId: Type.String({ default: '', description: 'With backup.endpoint' }),
      backupSecretKey: Type.String({ default: '', description: 'With backup.endpoint' }),
    }),

    api,

    worker,

    webhooks,

    storage,

    backup,

    schedule,

    certificates,

    limits,

    suppressions,

    spam,

    virus,

    reports,

    abuse,

    tlsPolicy,

    tlsReports,

    gateway,

    queue,

    pacing,

    mta,

    pools,

    inbound,

    sandbox: section({
      host: Type.String({
        default: '127.0.0.1',
        description: 'Loopback only: whoever reaches it is trusted',
      }),
      dnsPort: port(1053, 'DNS over UDP and TCP'),
      smtpPort: port(1030, 'Catch-all MX'),
      httpPort: port(3005, 'What arrived'),
      httpsPort: port(3006, 'Policies of MTA-STS, and where reports of TLS go'),
    }),
  },
  { additionalProperties: false },
);

export type Settings = Static<typeof settingsSchema>;
