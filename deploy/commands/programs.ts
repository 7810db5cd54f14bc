/** The scripts that run the programs of a release on a host: its migrations, and those of deploy/host. */
import type { Role } from '../inventory.ts';
import type { Layout } from './layout.ts';
import { holdPhaseLock } from './phase-lock.ts';
import { quote, script } from './shell.ts';

/** Forward only, each database by its own program; those wait for each other where several hosts run them. */
export function migrate({ root, releases, shared }: Layout, name: string, roles: readonly Role[]): string {
  const programs = [
    ...(roles.includes('api') ? ['api/migrate.ts'] : []),
    ...(roles.includes('mta') ? ['mta/queue/migrate.ts'] : []),
  ];
  return script(
    { root, release: `${releases}/${name}`, POSTERN_DIRECTORY: shared },
    `
${holdPhaseLock}
export POSTERN_DIRECTORY
cd "$release"
${programs.map((program) => `node_modules/node/bin/node ${program}`).join('\n')}`,
  );
}

/** Whether another release can run on the databases, as they are and as the one named makes them (DP-3). */
export function checkMigrations(
  layout: Layout,
  name: string,
  target: string,
  roles: readonly Role[],
): string {
  return runOnHost(layout, name, 'check-migrations', [
    ...['--roles', roles.join(',')],
    ...['--target', `${layout.releases}/${target}`],
  ]);
}

/** @returns names of migrations that the programs say they have applied */
export function readMigrations(answer: string): string[] {
  return answer.match(/\d{4}_\w+\.sql/g) ?? [];
}

export interface RestartOptions {
  roles: readonly Role[];
  supervisor: 'pm2' | 'systemd';
  healthSeconds: number;
  /** Of an older release: what asks the api is older before the api is */
  isRollback?: boolean;
  /** Also what runs from this release already, to read changed settings */
  isForced?: boolean;
}

/** Starts what is to run here from the release; see deploy/host/restart.ts. */
export function restart(layout: Layout, name: string, options: RestartOptions): string {
  const flags = [options.isRollback ? '--api-last' : '', options.isForced ? '--force' : ''];
  return runOnHost(layout, name, 'restart', [...describe(options), ...flags.filter(Boolean)]);
}

/** Asks every process whether it is well, until it is; see deploy/host/verify.ts. */
export function verify(layout: Layout, name: string, options: RestartOptions): string {
  return `${runOnHost(layout, name, 'verify', describe(options))}
touch "$release/VERIFIED"`;
}

function describe({ roles, supervisor, healthSeconds }: RestartOptions): string[] {
  return [
    ...['--roles', roles.join(',')],
    ...['--supervisor', supervisor],
    ...['--health-seconds', String(healthSeconds)],
  ];
}

function runOnHost({ root, releases, shared }: Layout, name: string, program: string, parameters: string[]) {
  return script(
    { root, release: `${releases}/${name}`, shared },
    `
${holdPhaseLock}
cd "$release"
# The lock is not for pm2, which stays.
node_modules/node/bin/node deploy/host/${program}.ts --directory "$shared" ${parameters.map(quote).join(' ')} 8>&-`,
  );
}
