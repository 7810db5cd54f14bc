/**
 * `node deploy/certificates/run.ts`: what the worker's schedule runs each day as a process of its own. Renews the certificate
 * where it is due, and prints what was done as JSON. Exits 1, with a line on stderr, when it failed.
 *
 * Trusts: the settings, the authority that they name, for no more than a certificate that is checked. Never: prints a key.
 * Settings: certificates, directory.
 */
import { loadSettings } from '../../config/load.ts';
import { renewCertificate } from './renew.ts';

try {
  process.stdout.write(`${JSON.stringify(await renewCertificate(loadSettings()))}\n`);
} catch (error) {
  const { message, code } = error as Error & { code?: string };
  process.stderr.write(`${message || code}\n`);
  process.exitCode = 1;
}
