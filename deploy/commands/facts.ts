/** Asking a host what it has: the question as a script, and the answer read. */
import type { Layout } from './layout.ts';
import { script } from './shell.ts';

export interface ReleaseFacts {
  name: string;
  /** Of git; empty where a deployment ended before it was written */
  revision: string;
  /** Its processes ran and were well. */
  isVerified: boolean;
}

export interface HostFacts {
  user: string;
  /** `setup` was there: releases and shared can be written. */
  isPrepared: boolean;
  /** Mode of shared/postern.env, octal */
  environmentMode?: string;
  /** The release that runs */
  current?: string;
  /** The release that pm2's daemon was started from */
  daemon?: string;
  freeMegabytes: number;
  programs: string[];
  /** Oldest first */
  releases: ReleaseFacts[];
}

const PROGRAMS = ['tar', 'gzip', 'flock', 'timeout', 'node', 'npm'];

export function askFacts({ root }: Layout): string {
  return script(
    { root },
    `
say() { printf '%s %s\\n' "$1" "$2"; }
say user "$(id -un)"
if [ -w "$root/releases" ] && [ -w "$root/shared" ]; then say prepared yes; fi
if [ -f "$root/shared/postern.env" ]; then say environment "$(stat -c %a "$root/shared/postern.env")"; fi
if [ -L "$root/current" ]; then say current "$(basename "$(readlink "$root/current")")"; fi
# Its number may be another process' by now; that does not run from a release.
if pid=$(cat "$root/shared/pm2/pm2.pid" 2>/dev/null); then say daemon "$(readlink "/proc/$pid/exe" || true)"; fi
if [ -d "$root" ]; then say free "$(df -Pm "$root" | awk 'NR == 2 { print $4 }')"; fi
for program in ${PROGRAMS.join(' ')}; do
  if command -v "$program" >/dev/null; then say program "$program"; fi
done
for release in "$root"/releases/[0-9]*; do
  if [ ! -d "$release" ]; then continue; fi
  revision=$(cat "$release/REVISION" 2>/dev/null || true)
  if [ -f "$release/VERIFIED" ]; then verified=yes; else verified=no; fi
  say release "$(basename "$release") $verified $revision"
done`,
  );
}

export function readFacts(answer: string): HostFacts {
  const facts: HostFacts = { user: '', isPrepared: false, freeMegabytes: 0, programs: [], releases: [] };
  for (const line of answer.split('\n')) {
    const [key, ...words] = line.split(' ');
    const value = words.join(' ');
    if (key === 'user') facts.user = value;
    if (key === 'prepared') facts.isPrepared = true;
    if (key === 'environment') facts.environmentMode = value;
    if (key === 'current') facts.current = value;
    const daemon = key === 'daemon' && /\/releases\/(\d+)\//.exec(value)?.[1];
    if (daemon) facts.daemon = daemon;
    if (key === 'free') facts.freeMegabytes = Number(value);
    if (key === 'program') facts.programs.push(value);
    if (key === 'release') {
      const [name = '', isVerified, revision = ''] = words;
      facts.releases.push({ name, revision, isVerified: isVerified === 'yes' });
    }
  }
  facts.releases.sort((one, other) => one.name.localeCompare(other.name));
  return facts;
}
