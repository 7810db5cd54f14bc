import type { Settings } from './schema.ts';

/** Whom to ask; empty: those of the system. Outside production the sandbox is the DNS. */
export function nameserversOf({ environment, mta, sandbox }: Settings): readonly string[] {
  return environment === 'production' ? mta.nameservers : [`${sandbox.host}:${sandbox.dnsPort}`];
}

/** Whose word that an answer is validated (DNSSEC) is taken; empty: nobody's. The sandbox has domains that it vouches for. */
export function validatingNameserverOf({ environment, tlsPolicy, sandbox }: Settings): string {
  if (environment === 'production' || tlsPolicy.validatingNameserver) return tlsPolicy.validatingNameserver;
  return `${sandbox.host}:${sandbox.dnsPort}`;
}
