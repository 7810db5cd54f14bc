/** Each hour, and when an operator asks: the health of every address of a pool (api/addresses/check.ts). */
import { nameserversOf } from '../../config/nameservers.ts';
import type { Settings } from '../../config/schema.ts';
import type { Logger } from '../../lib/log.ts';
import { type CheckOptions, checkAddress } from '../addresses/check.ts';
import type { Store } from '../database.ts';
import { listPools, recordFindings } from '../models/sending-pool.ts';

export interface CheckContext {
  store: Pick<Store, 'pool'>;
  settings: Settings;
  log: Logger;
}

/** One after the other: blocklists count questions. What is wrong is in the log too. */
export async function checkAddresses({ store, settings, log }: CheckContext): Promise<void> {
  const options = checkOptionsOf(settings);
  for (const { name: pool, addresses } of await listPools(store.pool)) {
    for (const { address, helo } of addresses) {
      const findings = await checkAddress({ address, helo }, options);
      await recordFindings(store.pool, address, findings);
      const wrong = Object.entries(findings).filter(([, { status }]) => status === 'wrong');
      if (wrong.length > 0)
        log.warn({ pool, address, wrong: Object.fromEntries(wrong) }, 'address.unhealthy');
    }
  }
}

/** Outside production nobody out there is asked: the sandbox is the DNS and the MX. */
export function checkOptionsOf(settings: Settings): CheckOptions {
  const { environment, mta, sandbox, pools } = settings;
  const isProduction = environment === 'production';
  return {
    nameservers: nameserversOf(settings),
    blocklists: pools.blocklists,
    probe: isProduction
      ? { host: pools.probeHost, port: mta.remotePort }
      : { host: sandbox.host, port: sandbox.smtpPort },
  };
}
