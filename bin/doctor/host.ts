/** What the doctor sees of the machine itself: disks, clock, certificates. */
import { existsSync, statfsSync } from 'node:fs';
import type { Settings } from '../../config/schema.ts';
import { openDirectory } from '../../deploy/backup/directory.ts';
import { locateInstallation } from '../../deploy/local/installation.ts';
import { loadInboundCertificate } from '../../inbound/certificate.ts';
import { type Certificate, loadCertificate, readExpiry } from '../../lib/certificate.ts';
import { findCertificateProblems } from '../../lib/certificate-check.ts';
import { formatDuration } from '../text.ts';
import { type Finding, finding } from './finding.ts';
import { measureClock } from './sntp.ts';

const MIN_FREE = 0.1;
const MIN_FREE_BYTES = 1_000_000_000;
const MAX_OFFSET_SECONDS = 5;
const SOON_MS = 14 * 86_400_000;
const GIGABYTE = 1_000_000_000;

/** Where we write: a full disk under any of them stops mail. */
export function directoriesOf(settings: Pick<Settings, 'directory' | 'backup'>): string[] {
  const { directory, postgresDirectory, logDirectory } = locateInstallation(settings.directory);
  const backups = openDirectory(settings).name;
  return [...new Set([directory, postgresDirectory, logDirectory, backups])].filter((path) =>
    existsSync(path),
  );
}

/** A tenth free, or a gigabyte where that is less; files as well as bytes. */
export function checkDisks(paths: readonly string[]): Finding {
  const full = paths.flatMap((path) => {
    const { bavail, blocks, bsize, ffree, files } = statfsSync(path);
    const freeBytes = bavail * bsize;
    const isFull = freeBytes < Math.min(MIN_FREE_BYTES, blocks * bsize * MIN_FREE);
    const hasNoFiles = files > 0 && ffree / files < MIN_FREE / 10;
    if (isFull) return [`${path} has ${(freeBytes / GIGABYTE).toFixed(1)} GB left`];
    return hasNoFiles ? [`${path} has ${ffree} inodes left`] : [];
  });
  return finding(
    'disk',
    full.length > 0 ? `${full.join('; ')}.` : undefined,
    'There is room.',
    'Make room or enlarge it before Postgres stops: old logs in log/, old backups; shorter retention_days of organizations; storage.endpoint moves sources away.',
  );
}

/** @param server of time; undefined: nobody is asked */
export async function checkClock(server: { host: string; port: number } | undefined): Promise<Finding> {
  const remedy =
    'Let chrony or systemd-timesyncd set it: apt install chrony; timedatectl shows what it follows.';
  if (!server)
    return finding('clock', undefined, 'Not compared outside production; --ntp names a server of time.', '');
  const offset = await measureClock(server);
  if (offset === undefined) {
    return finding(
      'clock',
      `${server.host} does not answer.`,
      '',
      'Open UDP 123 to it, or name another by --ntp.',
    );
  }
  const seconds = Math.abs(offset).toFixed(1);
  const fault =
    Math.abs(offset) > MAX_OFFSET_SECONDS
      ? `It is ${seconds} s ${offset > 0 ? 'behind' : 'ahead'}: signatures, retries and certificates go by it.`
      : undefined;
  return finding('clock', fault, `Within ${seconds} s of ${server.host}.`, remedy);
}

export async function checkCertificates(settings: Settings, now = new Date()): Promise<Finding[]> {
  const { directory, hostname, gateway, inbound } = settings;
  return [
    await checkCertificate('gateway certificate', hostname, now, () =>
      loadCertificate({ ...gateway, directory, hostname }),
    ),
    await checkCertificate('inbound certificate', inbound.hostname || hostname, now, () =>
      loadInboundCertificate(settings),
    ),
  ];
}

async function checkCertificate(
  check: string,
  name: string,
  now: Date,
  load: () => Promise<Certificate>,
): Promise<Finding> {
  const remedy =
    'Renew it, into the files that the settings name (gateway.certificateFile, inbound.certificateFile): it is taken within a minute, without a restart.';
  try {
    const certificate = await load();
    const problems = findCertificateProblems(certificate, [name], now);
    if (problems.length > 0) return finding(check, `${problems.join('; ')}.`, '', remedy);
    const left = readExpiry(certificate) - now.getTime();
    const fault = left < SOON_MS ? `It ends in ${formatDuration(left / 1000)}.` : undefined;
    return finding(check, fault, `For ${name}, for another ${formatDuration(left / 1000)}.`, remedy);
  } catch (error) {
    return finding(check, `${(error as Error).message}.`, '', remedy);
  }
}
