/** What the mta finds around it: a DNS in which every domain has an MX on loopback, and the api. */
import type { Settings } from '../../config/schema.ts';
import { createLogger } from '../../lib/log.ts';
import { startDnsServer } from '../../sandbox/dns-server.ts';
import { createZone } from '../../sandbox/zone.ts';
import { type Api, startApi } from './api.ts';

export interface Surroundings {
  api: Api;
  close(): Promise<void>;
}

export async function startSurroundings(options: {
  settings: Settings;
  /** PEM, what mail is signed with */
  privateKey: string;
}): Promise<Surroundings> {
  const { api: apiSettings, hostname, sandbox, secrets } = options.settings;
  const dns = await startDnsServer({
    host: sandbox.host,
    port: sandbox.dnsPort,
    zone: createZone({
      hostname,
      address: '127.0.0.1',
      findDkimRecord: async () => ({ ok: false, reason: 'not_found' }),
    }),
    log: createLogger('bench', { level: 'error' }),
  });
  const api = await startApi({
    port: apiSettings.port,
    serviceToken: secrets.serviceToken,
    privateKey: options.privateKey,
  });
  return { api, close: async () => void (await Promise.all([dns.close(), api.close()])) };
}
