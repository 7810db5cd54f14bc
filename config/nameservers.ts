import type { Settings } from './schema.ts';

/** Whom to ask; empty: those of the system. Outside production the sandbox is the DNS. */
export function nameserversOf({ environment, mta, sandbox }: Settings): readonly string[] {
  return environment === 'production' ? mta.nameservers : [`${sandbox.host}:${sandbox.dnsPort}`];
}
