/** What keeps the processes of a host up, pm2 or systemd, as far as a deployment has to do with it. */
import { execFile } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { promisify } from 'node:util';
import type { Role } from '../inventory.ts';
import { openPm2, type Pm2 } from '../local/pm2.ts';
import { listOwnProcesses, type OwnProcess } from '../local/processes.ts';
import { StepFailure } from '../local/steps.ts';
import { STOP_SECONDS } from '../process-table.ts';
import { unitName } from '../setup/units.ts';
import type { HostRun } from './host.ts';

export interface Supervisor {
  /** What runs, of whichever release */
  list(roles: readonly Role[]): Promise<OwnProcess[]>;
  /** Ends those that run, in order, and starts all from the current release. Throws StepFailure. */
  restart(roles: readonly Role[]): Promise<void>;
  /** For requireHealth: who crashes again and again */
  crashes: Pick<Pm2, 'list'>;
}

export function openSupervisor({ supervisor, installation }: HostRun): Supervisor {
  if (supervisor === 'systemd') return systemd;
  const pm2 = openPm2(installation);
  return {
    crashes: pm2,
    list: async () => listOwnProcesses(installation.directory),
    async restart(roles) {
      const known = (await pm2.list()).map(({ name }) => name);
      await pm2.remove(roles.filter((role) => known.includes(role)));
      await pm2.start([...roles]);
    },
  };
}

/** Its units say Restart=always: one that crashes is started again until the health check's deadline. */
const systemd: Supervisor = {
  crashes: { list: async () => [] },
  list: async (roles) => (await Promise.all(roles.map(findMainProcess))).flat(),
  async restart(roles) {
    if (roles.length > 0) await systemctl('restart', ...roles.map(unitName));
  },
};

async function findMainProcess(name: Role): Promise<OwnProcess[]> {
  const pid = Number(await systemctl('show', '--property=MainPID', '--value', unitName(name)));
  if (!pid) return [];
  try {
    return [{ name, pid, workingDirectory: readlinkSync(`/proc/${pid}/cwd`) }];
  } catch {
    return []; // ended meanwhile
  }
}

async function systemctl(...parameters: string[]): Promise<string> {
  try {
    // `restart` waits for the old process, which has its time.
    const { stdout } = await promisify(execFile)('systemctl', parameters, {
      timeout: 2 * STOP_SECONDS * 1_000,
    });
    return stdout.trim();
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    throw new StepFailure(`systemctl ${parameters.join(' ')}: ${stderr?.trim() || message}`);
  }
}
