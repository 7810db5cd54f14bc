/**
 * The outside world in miniature, for development and tests: a DNS in which every domain exists, a catch-all MX
 * that keeps what it gets, and a mailbox that shows it.
 *
 * It trusts whoever reaches it: there is no authentication anywhere. Therefore it refuses to start in production
 * and on an address that is not loopback. It delivers nothing, sends nothing, and writes nothing to disk: with the
 * process its mail is gone; but for the authority of its certificates, which other processes trust. DKIM records come
 * from the api, so that what Postern publishes is what is verified.
 *
 * Standards: RFC 5321, 3207, 6531 (SMTP), 1035, 7505 (DNS), 6376, 7208, 9989 (DKIM, SPF, DMARC), 8461, 7672, 8460 (TLS).
 * Settings: `sandbox.*`, `hostname`, `api.url`, `redis.url`. More in docs/sandbox.md.
 */
import { BlockList, isIPv4 } from 'node:net';
import { loadSettings } from '../config/load.ts';
import { createLogger } from '../lib/log.ts';
import { findDkimRecord } from '../lib/rpc/contracts/dkim-keys.ts';
import { createServiceClient } from '../lib/rpc/service-client.ts';
import { loadSandboxAuthority } from '../lib/sandbox-authority.ts';
import { handleShutdown } from '../lib/shutdown.ts';
import { startSandbox } from './sandbox.ts';

/** EX_CONFIG of sysexits.h */
const EXIT_CONFIGURATION = 78;

const settings = loadSettings();
const log = createLogger('sandbox', settings.log);
const { host } = settings.sandbox;

if (settings.environment === 'production') refuseToStart('environment: the sandbox never runs in production');
if (!isLoopback(host)) refuseToStart(`sandbox.host: ${host} is not an IPv4 loopback address`);

const shutdown = handleShutdown(log);
const rpc = createServiceClient(settings, { log });
shutdown.add('rpc', () => rpc.close());
const sandbox = await startSandbox({
  ...settings.sandbox,
  authority: await loadSandboxAuthority(settings.directory),
  hostname: settings.hostname,
  returnPathDomain: settings.mta.returnPathDomain,
  findDkimRecord: (name, selector) => rpc.call(findDkimRecord, { params: { name, selector } }),
  log,
});
shutdown.add('sandbox', () => sandbox.close());
log.info({ ...settings.sandbox }, 'sandbox.started');

function isLoopback(address: string): boolean {
  const loopback = new BlockList();
  loopback.addSubnet('127.0.0.0', 8);
  return isIPv4(address) && loopback.check(address);
}

function refuseToStart(problem: string): never {
  process.stderr.write(`postern: ${problem}\n`);
  process.exit(EXIT_CONFIGURATION);
}
