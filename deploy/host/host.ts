/** What the programs that a deployment runs on a host have in common: their options, and how they answer. */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { loadSettings } from '../../config/load.ts';
import type { Settings } from '../../config/schema.ts';
import { type Role, roles } from '../inventory.ts';
import { type Endpoint, listHealthEndpoints } from '../local/health.ts';
import { type Installation, locateInstallation } from '../local/installation.ts';
import { StepFailure } from '../local/steps.ts';

export interface HostRun {
  installation: Installation;
  settings: Settings;
  /** What runs on this host, in the order of their start */
  roles: Role[];
  supervisor: 'pm2' | 'systemd';
  healthDeadlineMs: number;
}

/** A program of deploy/host with the options of all of them. */
export function hostProgram(name: string): Command {
  return new Command(name)
    .requiredOption('--directory <path>', 'the installation: shared/ of the layout')
    .requiredOption('--roles <names>', 'what runs on this host, with commas between')
    .option('--supervisor <name>', 'pm2 or systemd', 'pm2')
    .option('--health-seconds <number>', 'how long a health check may stay red', '90');
}

export function readHostRun(program: Command): HostRun {
  const options = program.opts<Record<'directory' | 'roles' | 'supervisor' | 'healthSeconds', string>>();
  const installation = locateInstallation(resolve(options.directory));
  const wanted = options.roles.split(',');
  process.env.POSTERN_DIRECTORY = installation.directory;
  return {
    installation,
    settings: loadSettings(),
    roles: roles.filter((role) => wanted.includes(role)),
    supervisor: options.supervisor === 'systemd' ? 'systemd' : 'pm2',
    healthDeadlineMs: Number(options.healthSeconds) * 1_000,
  };
}

/** Of these processes. */
export function healthOf({ settings }: HostRun, names: readonly string[]): Endpoint[] {
  return listHealthEndpoints(settings).filter(({ name }) => names.includes(name));
}

/** One line to stdout, or the reason to stderr and 1. */
export async function answer(action: () => Promise<string>): Promise<void> {
  try {
    console.log(await action());
  } catch (error) {
    if (!(error instanceof StepFailure)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
