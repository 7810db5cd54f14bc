/** Where the certificate lies, and what it is worth. The files are what gateway and inbound watch. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Settings } from '../../config/schema.ts';
import { type Certificate, readExpiry } from '../../lib/certificate.ts';
import { findCertificateProblems } from '../../lib/certificate-check.ts';
import { locateInstallation } from '../local/installation.ts';

const DAY_MS = 86_400_000;

export interface CertificateFiles {
  /** For gateway.certificateFile */
  chain: string;
  /** For gateway.privateKeyFile */
  key: string;
  /** The account with the authority, and its key */
  account: string;
}

export interface CertificateState {
  files: CertificateFiles;
  /** ISO 8601; null: there is none */
  expiresAt: string | null;
  problems: string[];
  isDue: boolean;
}

export function locateCertificate(directory: string): CertificateFiles {
  const place = join(locateInstallation(directory).directory, 'tls', 'acme');
  return {
    chain: join(place, 'chain.pem'),
    key: join(place, 'key.pem'),
    account: join(place, 'account.json'),
  };
}

export function readState(
  { directory, certificates }: Pick<Settings, 'directory' | 'certificates'>,
  now: Date,
): CertificateState {
  const files = locateCertificate(directory);
  if (!(existsSync(files.chain) && existsSync(files.key)))
    return { files, expiresAt: null, problems: ['there is none yet'], isDue: true };
  const certificate = { cert: readFileSync(files.chain, 'utf8'), key: readFileSync(files.key, 'utf8') };
  const problems = findCertificateProblems(certificate, certificates.names, now);
  const expiry = problems.length > 0 ? undefined : readExpiry(certificate);
  const isDue = expiry === undefined || expiry - now.getTime() < certificates.renewBeforeDays * DAY_MS;
  return { files, expiresAt: expiry === undefined ? null : new Date(expiry).toISOString(), problems, isDue };
}

/**
 * Each file is replaced at once. Between the two they are no pair: who watches them keeps the old one until the next look
 * (lib/certificate-watch.ts); who dies between them finds the problem at the next run, and asks for another.
 */
export function saveCertificate(files: CertificateFiles, { cert, key }: Certificate): void {
  replaceFile(files.key, key);
  replaceFile(files.chain, cert);
}

/** For its owner, and for the group where the directory is: deploy/setup makes it for gateway and inbound, which are others. */
export function replaceFile(path: string, content: string): void {
  const directory = dirname(path);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const mode = 0o600 | (statSync(directory).mode & 0o040);
  const next = `${path}.next`;
  rmSync(next, { force: true });
  writeFileSync(next, content, { mode, flush: true, flag: 'wx' });
  renameSync(next, path);
}
