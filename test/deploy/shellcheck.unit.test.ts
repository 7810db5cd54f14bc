import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { askFacts } from '../../deploy/commands/facts.ts';
import { layOut } from '../../deploy/commands/layout.ts';
import { checkMigrations, migrate, restart, verify } from '../../deploy/commands/programs.ts';
import { completeRelease, receiveRelease, removeReleases, switchTo } from '../../deploy/commands/release.ts';
import { checkInventory, roles } from '../../deploy/inventory.ts';
import { isOnPath } from '../../deploy/local/debian-packages.ts';
import { projectRoot } from '../../deploy/local/installation.ts';
import { holdLock } from '../../deploy/remote/lock.ts';
import { listSetupSteps } from '../../deploy/setup/steps.ts';

const layout = layOut('/srv/postern');
const options = { roles: ['api', 'mta'], supervisor: 'pm2', healthSeconds: 90 } as const;
const generated: Record<string, string> = {
  askFacts: askFacts(layout),
  receiveRelease: receiveRelease(layout, { name: '1', revision: 'abc' }),
  completeRelease: completeRelease(layout, '1'),
  migrate: migrate(layout, '1', ['api', 'mta']),
  checkMigrations: checkMigrations(layout, '2', '1', ['api', 'mta']),
  switchTo: switchTo(layout, '1', 'deploy'),
  restart: restart(layout, '1', { ...options, isRollback: true }),
  verify: verify(layout, '1', options),
  removeReleases: removeReleases(layout, ['1', '2']),
  holdLock: holdLock(layout, 'somebody'),
  ...Object.fromEntries(listSetup().map(({ name, script }) => [`setup: ${name}`, script])),
};

function listSetup() {
  const host = { name: 'vm1', roles: [...roles] };
  const result = checkInventory({ hosts: [host] });
  if (!result.ok) throw new Error(result.problems.join());
  return listSetupSteps(result.inventory, host, layout, { settings: '', environment: '' });
}

describe('shellcheck', function () {
  this.timeout(60_000);
  before(function () {
    if (isOnPath('shellcheck')) return;
    console.log('      skipped: shellcheck is not installed');
    this.skip();
  });

  for (const [name, text] of Object.entries(generated)) {
    // 2034: a variable that all scripts of a kind have, and one does not need. 2016: files that are scripts themselves
    it(`finds nothing in ${name}`, () => check(['--shell=sh', '--exclude=SC2034,SC2016', '-'], text));
  }

  it('finds nothing in the scripts of the project', () => {
    const scripts = ['bin', 'bench', 'deploy', '.ci'].flatMap(listShellScripts);
    assert.ok(scripts.length >= 5, scripts.join());
    check(scripts);
  });
});

function check(parameters: string[], input = ''): void {
  const { status, stdout } = spawnSync('shellcheck', parameters, {
    cwd: projectRoot,
    input,
    encoding: 'utf8',
  });
  assert.equal(status, 0, stdout);
}

function listShellScripts(directory: string): string[] {
  return readdirSync(join(projectRoot, directory), { recursive: true, encoding: 'utf8' })
    .map((name) => join(directory, name))
    .filter((name) => statSync(join(projectRoot, name)).isFile())
    .filter((name) => /^#!\S*(?:\/env )?(?:ba|da)?sh\b/.test(readFileSync(join(projectRoot, name), 'utf8')));
}
