/**
 * Takes a renewed certificate into use without a restart: new sessions and handshakes get it, open sessions stay.
 *
 * The files are read again and again, because renewals replace them by way of symbolic links, which file events miss.
 * A pair that is no pair (between two writes, say), or is out of date, is refused; the old one stays in use.
 */

import { type Certificate, readExpiry } from './certificate.ts';
import type { Logger } from './log.ts';

export interface CertificateWatchOptions {
  /** The pair that is in use */
  current: Certificate;
  load(): Promise<Certificate>;
  use(certificate: Certificate): void;
  intervalMs: number;
  log: Logger;
}

/** @returns the way to end it */
export function watchCertificate({
  current,
  load,
  use,
  intervalMs,
  log,
}: CertificateWatchOptions): () => void {
  let seen = describe(current);
  const look = async () => {
    const found = await load().catch((error: unknown) => ({ error }));
    if (describe(found) === seen) return; // one log line for each pair, good or bad
    seen = describe(found);
    try {
      if ('error' in found) throw found.error;
      const expiresAt = readExpiry(found);
      if (expiresAt <= Date.now()) throw new Error('The certificate is out of date');
      use(found);
      log.info({ expiresAt: new Date(expiresAt).toISOString() }, 'certificate.renewed');
    } catch (error) {
      log.error({ err: error }, 'certificate.refused');
    }
  };
  const timer = setInterval(() => void look(), intervalMs);
  timer.unref();
  return () => clearInterval(timer);
}

function describe(found: Certificate | { error: unknown }): string {
  return 'error' in found ? String(found.error) : `${found.cert}\n${found.key}`;
}
