/** Each day: renews the certificate of this installation where it ends soon (deploy/certificates/renew.ts). */
import { renewCertificate } from '../../deploy/certificates/renew.ts';
import type { PeriodicContext } from './scheduled.ts';

export async function renewDaily({ settings }: PeriodicContext): Promise<object | undefined> {
  if (settings.certificates.names.length === 0) return undefined;
  const { isRenewed, expiresAt, log } = await renewCertificate(settings);
  return isRenewed ? { names: settings.certificates.names, expiresAt, log } : undefined;
}
