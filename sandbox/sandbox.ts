/** Puts the parts together: the mail flows from the MX into the mailbox, DNS tells where and how to verify. */
import type { Certificate } from '../lib/certificate.ts';
import type { Logger } from '../lib/log.ts';
import { verifyAuthentication } from './authentication.ts';
import { RecipientAttempts } from './behaviours.ts';
import { createCertificates } from './certificates.ts';
import { startDnsServer } from './dns-server.ts';
import { checkDns, checkSmtp } from './health.ts';
import { createHttp } from './http.ts';
import { Mailbox } from './mailbox.ts';
import { startMx } from './mx.ts';
import { startPolicyHost } from './policy-host.ts';
import { portOf } from './port.ts';
import { createReception, type ReceptionOptions } from './reception.ts';
import { createResolver } from './resolver.ts';
import { createZone, type FindDkimRecord } from './zone.ts';

export interface SandboxOptions {
  /** IPv4; where everything listens, and the A record of every host */
  host: string;
  /** Ports: 0 for any free one */
  dnsPort: number;
  smtpPort: number;
  httpPort: number;
  httpsPort: number;
  /** Issues the certificates of MX and policy hosts. */
  authority: Certificate;
  /** The name 127.0.0.0/8 resolves back to */
  hostname: string;
  findDkimRecord: FindDkimRecord;
  /** Where the aliases of return paths lead; missing: there are none */
  returnPathDomain?: string;
  log: Logger;
  sleep?: NonNullable<ReceptionOptions['sleep']>;
}

export interface Sandbox {
  dnsPort: number;
  smtpPort: number;
  httpPort: number;
  httpsPort: number;
  close(): Promise<void>;
}

export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const { host, hostname, log, findDkimRecord, returnPathDomain, sleep } = options;
  const certificates = createCertificates(options.authority);
  const policyHost = await startPolicyHost({ host, port: options.httpsPort, certificates, log });
  const zone = createZone({
    hostname,
    address: host,
    findDkimRecord,
    tls: { policyPort: policyHost.port, tlsa: certificates.tlsa },
    ...(returnPathDomain && { returnPathDomain }),
  });
  const resolve = createResolver(zone);
  const mailbox = new Mailbox();
  const attempts = new RecipientAttempts();
  const reception = createReception({
    mailbox,
    attempts,
    verify: (arrival) => verifyAuthentication(arrival, { resolve, hostname, log }),
    log,
    ...(sleep && { sleep }),
  });

  const dns = await startDnsServer({ host, port: options.dnsPort, zone, log });
  const mx = await startMx({ host, port: options.smtpPort, hostname, certificates, reception, log });
  const checks = { dns: () => checkDns(host, dns.port), smtp: () => checkSmtp(host, mx.port) };
  const http = createHttp({ mailbox, attempts, listTlsReports: policyHost.listReports, checks, log });
  await http.listen({ host, port: options.httpPort });
  return {
    dnsPort: dns.port,
    smtpPort: mx.port,
    httpPort: portOf(http.server),
    httpsPort: policyHost.port,
    close: async () => void (await Promise.all([http.close(), mx.close(), dns.close(), policyHost.close()])),
  };
}
