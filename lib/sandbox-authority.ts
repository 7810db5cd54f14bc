/**
 * The authority that issues the certificates of the sandbox. Made on the first run and kept below the installation's
 * directory; outside production the other processes trust it (lib/tls/authorities.ts).
 */
import { join } from 'node:path';
import { type Certificate, keepCertificate } from './certificate.ts';

const VALIDITY_MS = 10 * 365 * 86_400_000;

export function locateSandboxAuthority(directory: string): string {
  return join(directory, 'tls', 'sandbox-authority.pem');
}

/** Throws where its file cannot be read or written. */
export function loadSandboxAuthority(directory: string): Promise<Certificate> {
  return keepCertificate(locateSandboxAuthority(directory), makeAuthority);
}

export async function makeAuthority(): Promise<Certificate> {
  const { generate } = await import('selfsigned'); // as in certificate.ts
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'Postern sandbox' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notAfterDate: new Date(Date.now() + VALIDITY_MS),
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  return { cert, key };
}
