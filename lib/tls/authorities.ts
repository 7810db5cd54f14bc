/** Whose certificates are trusted beside those of the authorities that Node brings. */
import { existsSync, readFileSync } from 'node:fs';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import type { Settings } from '../../config/schema.ts';
import { listCertificates } from '../certificate.ts';
import { locateSandboxAuthority } from '../sandbox-authority.ts';

/** For this process, from now on. Throws where tlsPolicy.caFile cannot be read. */
export function trustAuthorities({ environment, directory, tlsPolicy }: Settings): void {
  const ofSandbox = locateSandboxAuthority(directory);
  const files = [
    ...(tlsPolicy.caFile ? [tlsPolicy.caFile] : []),
    ...(environment !== 'production' && existsSync(ofSandbox) ? [ofSandbox] : []),
  ];
  if (files.length === 0) return;
  const own = files.flatMap((file) => listCertificates(readFileSync(file, 'utf8')));
  setDefaultCACertificates([...getCACertificates('default'), ...own]);
}
