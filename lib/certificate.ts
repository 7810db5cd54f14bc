/**
 * The certificate of the listeners: the operator's files, or outside production one that is made on the first run.
 *
 * Key and certificate of the made one lie in one file, which appears at once or not at all: a crash in between, or
 * two gateways that start together, leave a pair that belongs together.
 */
import { randomBytes, X509Certificate } from 'node:crypto';
import { chmodSync, existsSync, linkSync, mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';

const VALIDITY_YEARS = 10;
const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

export interface Certificate {
  /** PEM chain */
  cert: string;
  /** PEM private key */
  key: string;
}

export interface CertificateSettings {
  certificateFile: string;
  privateKeyFile: string;
  /** Where a made certificate is kept, under `tls/` */
  directory: string;
  hostname: string;
}

/** Throws where a file cannot be read or written. */
export async function loadCertificate(settings: CertificateSettings): Promise<Certificate> {
  const { certificateFile, privateKeyFile, directory, hostname } = settings;
  if (certificateFile && privateKeyFile) {
    return { cert: readFileSync(certificateFile, 'utf8'), key: readFileSync(privateKeyFile, 'utf8') };
  }
  return keepCertificate(join(directory, 'tls', 'self-signed.pem'), () => makeCertificate(hostname));
}

/** Reads it from the file, where it is put first if there is none. Both parts are all of it: OpenSSL finds its own. */
export async function keepCertificate(file: string, make: () => Promise<Certificate>): Promise<Certificate> {
  if (!existsSync(file)) write(file, await make());
  const pem = readFileSync(file, 'utf8');
  return { cert: pem, key: pem };
}

/** Each certificate of a PEM file that may hold more. */
export function listCertificates(pem: string): string[] {
  return pem.match(BLOCK) ?? [];
}

/** Milliseconds since 1970. Throws where the chain cannot be read, or does not go with its key. */
export function readExpiry(certificate: Certificate): number {
  const { validToDate } = new X509Certificate(certificate.cert); // the first of the chain
  createSecureContext(certificate);
  return validToDate.getTime();
}

async function makeCertificate(hostname: string): Promise<Certificate> {
  const { generate } = await import('selfsigned'); // half a second that no process has to spend which makes none
  const notAfterDate = new Date();
  notAfterDate.setFullYear(notAfterDate.getFullYear() + VALIDITY_YEARS);
  const { private: key, cert } = await generate([{ name: 'commonName', value: hostname }], {
    keyType: 'rsa',
    keySize: 2048,
    algorithm: 'sha256',
    notAfterDate,
    extensions: [
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: hostname },
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  });
  return { cert, key };
}

function write(file: string, { key, cert }: Certificate): void {
  mkdirSync(join(file, '..'), { recursive: true, mode: 0o700 });
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  writeFileSync(draft, `${key.trim()}\n${cert.trim()}\n`, { mode: 0o600, flush: true });
  chmodSync(draft, 0o600);
  linkUnlessPresent(draft, file);
  unlinkSync(draft);
}

function linkUnlessPresent(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
}
