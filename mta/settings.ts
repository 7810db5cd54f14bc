/** ZoneMTA's configuration, made from ours. Written to a file that its processes read (wild-config). */
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import type { Settings } from '../config/schema.ts';

const ROOT = resolve(import.meta.dirname, '..');
const LOOPBACK = '127.0.0.1';
/** ZoneMTA gives up after the last of these; ours is the schedule that decides, by the message's lifetime. */
const ENDLESS_DEFER_TIMES = Array.from({ length: 10_000 }, () => 60_000);

/** Our plugins, by file, with the ZoneMTA processes each runs in. The order is the order of their hooks. */
export const plugins = {
  intake: ['receiver'],
  tracing: ['receiver', 'sender'],
  virus: ['receiver'],
  spam: ['receiver'],
  'return-path': ['sender'],
  status: ['main', 'sender'],
  suppression: ['sender'],
  'tls-policy': ['sender'],
  'source-address': ['sender'],
  unsubscribe: ['sender'],
  'feedback-id': ['sender'],
  dkim: ['sender'],
  'message-size': ['sender'],
} as const;

/** To be written as JSON; the keys are ZoneMTA's own. */
export function createZoneMtaConfig(settings: Settings) {
  const { mta, queue, limits, sandbox, hostname, instanceId } = settings;
  const isProduction = settings.environment === 'production';
  return {
    name: 'Postern',
    ident: `postern-${instanceId}`,
    nameservers: isProduction ? mta.nameservers : [`${sandbox.host}:${sandbox.dnsPort}`],
    dns: {
      caching: false,
      // A customer's MX record must not lead into our own network.
      blockLocalAddresses: isProduction,
      blockReservedNetworks: isProduction,
    },
    mtaSts: { enabled: false },
    dkim: { enabled: false, hashAlgo: 'sha256' }, // signed by plugins/dkim; the body hash is computed all the same
    queue: {
      instanceId,
      defaultZone: 'default',
      disableGC: true,
      deferTimes: ENDLESS_DEFER_TIMES,
      ...(queue.backend === 'mongodb' && { mongodb: queue.mongodbUrl }),
    },
    ...(queue.backend === 'mongodb' && { dbs: { mongo: queue.mongodbUrl, redis: settings.redis.url } }),
    smtpInterfaces: {
      feeder: { enabled: false },
      intake: {
        enabled: true,
        processes: 1,
        host: mta.intakeHost,
        port: mta.intakePort,
        hostname,
        authentication: true,
        allowInsecureAuth: true, // loopback only
        starttls: false,
        disableVersionString: true,
        // Ours are three fields on top of the largest message.
        maxSize: limits.maxMessageBytes + 4096,
        maxRecipients: limits.maxEnvelopeRecipients,
        disableReverseLookup: true,
      },
    },
    api: { enabled: true, host: LOOPBACK, port: mta.apiPort, maildrop: false },
    queueServer: { enabled: true, host: LOOPBACK, hostname: LOOPBACK, port: mta.queueServerPort },
    log: { level: zoneMtaLevel(settings.log.level) },
    pools: { default: [{ address: '0.0.0.0', name: hostname }] },
    zones: {
      default: {
        processes: mta.senderProcesses,
        connections: mta.connections,
        pool: 'default',
        port: isProduction ? mta.remotePort : sandbox.smtpPort,
        ignoreIPv6: true,
        preferIPv6: false,
      },
      bounces: { disabled: true },
    },
    // `defaults` is the key that ZoneMTA reads; it documents `default`.
    domainConfig: { defaults: { maxConnections: mta.maxConnectionsPerDomain, disabledAddresses: [] } },
    bouncesFile: join(import.meta.dirname, 'bounces.txt'),
    pluginsPath: join(ROOT, 'plugins'),
    corePluginsPath: join(packageDirectory('@zone-eu/zone-mta'), 'plugins'),
    plugins: {
      ...Object.fromEntries(
        Object.entries(plugins).map(([name, enabled], index) => [
          join(ROOT, 'plugins', `${name}.ts`),
          { enabled: !isSwitchedOff(name, settings) && enabled, ordering: index + 1 },
        ]),
      ),
      'core/email-bounce': { enabled: false }, // bounces are reported by the api
      'core/delivery-loop': { enabled: false }, // plugins/intake counts hops, with the right reply
      // Fills parsedEnvelope and messageId, which other parts of ZoneMTA read; adds nothing to the message.
      'core/default-headers': {
        enabled: ['receiver', 'sender'],
        ordering: 100,
        addMissing: [],
        futureDate: false,
        xOriginatingIP: false,
        allowRoutingHeaders: [],
      },
    },
  };
}

/** What checks or traces messages, where there is nothing to do it with. */
function isSwitchedOff(name: string, { spam, virus, tracing }: Settings): boolean {
  if (name === 'tracing') return tracing.endpoint === '';
  return (name === 'spam' && spam.engine === 'none') || (name === 'virus' && virus.engine === 'none');
}

function zoneMtaLevel(level: Settings['log']['level']): string {
  const levels = {
    trace: 'silly',
    debug: 'verbose',
    info: 'info',
    warn: 'warn',
    error: 'error',
    silent: 'silent',
  };
  return levels[level];
}

function packageDirectory(name: string): string {
  return dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
}
