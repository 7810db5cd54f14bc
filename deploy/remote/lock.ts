/**
 * One deployment at a time. On each host flock(1) holds a file for as long as our connection lives and we say so every
 * few seconds: a deployment that is killed, or whose network goes, leaves no lock behind.
 */
import { hostname, userInfo } from 'node:os';
import type { Layout } from '../commands/layout.ts';
import { script } from '../commands/shell.ts';
import { DeployFailure } from './failure.ts';
import type { RemoteHost, RunningScript } from './ssh.ts';

const BEAT_MS = 10_000;
/** Several beats */
const SILENCE_SECONDS = 60;
/** EX_TEMPFAIL of sysexits.h */
const TAKEN = 75;

export interface DeployLock {
  /** Throws DeployFailure once a host has let go of it. */
  check(): void;
  release(): Promise<void>;
}

/** Of all hosts or of none. Throws DeployFailure with the holder where one is taken. */
export async function lockHosts(hosts: RemoteHost[], layout: Layout, purpose: string): Promise<DeployLock> {
  const holder = `${userInfo().username}@${hostname()} ${process.pid}, since ${new Date().toISOString()}: ${purpose}`;
  const held: RunningScript[] = [];
  let lost: string | undefined;
  const timer = setInterval(() => {
    for (const lock of held) lock.beat();
  }, BEAT_MS);
  const release = async () => {
    clearInterval(timer);
    await Promise.all(held.map((lock) => lock.end()));
  };
  try {
    // One after the other, in one order: two deployments do not take half each.
    for (const host of hosts.toSorted((one, other) => one.name.localeCompare(other.name))) {
      const lock = host.hold(holdLock(layout, holder));
      if ((await lock.firstLine) !== 'locked') throw new DeployFailure(await explainRefusal(host, lock));
      held.push(lock);
      void lock.ended.then(() => {
        lost ??= host.name;
      });
    }
  } catch (error) {
    await release();
    throw error;
  }
  return {
    check() {
      if (lost) throw new DeployFailure(`${lost}: the lock is lost: is the connection?`);
    },
    release,
  };
}

export function holdLock({ root, deployLock }: Layout, holder: string): string {
  return script(
    { root, lock: deployLock, holder },
    `
if [ ! -w "$root" ]; then
  echo "$root is not there or may not be written: run \\"postern deploy setup\\" first" >&2
  exit 1
fi
exec 9>>"$lock"
if ! flock -n 9; then
  echo "another deployment is under way: $(cat "$lock")" >&2
  exit ${TAKEN}
fi
printf '%s\\n' "$holder" >"$lock"
echo locked
while timeout ${SILENCE_SECONDS} sh -c 'read -r _'; do :; done`,
  );
}

async function explainRefusal(host: RemoteHost, lock: RunningScript): Promise<string> {
  const { errors, code } = await lock.ended;
  return `${host.name}: ${errors.trim() || `the lock could not be taken (${code})`}`;
}
