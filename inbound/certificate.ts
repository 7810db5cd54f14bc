import type { Settings } from '../config/schema.ts';
import { type Certificate, loadCertificate } from '../lib/certificate.ts';

/** The certificate of STARTTLS: its own, or that of the gateway where none is set. */
export function loadInboundCertificate({
  inbound,
  gateway,
  directory,
  hostname,
}: Settings): Promise<Certificate> {
  const { certificateFile, privateKeyFile } = inbound.certificateFile ? inbound : gateway;
  return loadCertificate({
    ...{ certificateFile, privateKeyFile, directory },
    hostname: inbound.hostname || hostname,
  });
}
