/** The scripts of setup, those of the system aside, on a directory of this machine. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { type Layout, layOut } from '../../deploy/commands/layout.ts';
import { checkInventory, type Inventory } from '../../deploy/inventory.ts';
import { environmentOf, readHostFiles, readInstallationFiles } from '../../deploy/setup/environment.ts';
import { firewall } from '../../deploy/setup/firewall.ts';
import { listSetupSteps } from '../../deploy/setup/steps.ts';
import { createTestSettings } from '../support/settings.ts';

const host = { name: 'VM1.example.com', roles: ['api' as const, 'mta' as const] };
const key = (letter: string) => letter.repeat(43);

function inventory(changes: object = {}): Inventory {
  const result = checkInventory({ hosts: [host], system: false, ...changes });
  if (!result.ok) throw new Error(result.problems.join());
  return result.inventory;
}

describe('setup', () => {
  let layout: Layout;
  beforeEach(() => {
    layout = layOut(mkdtempSync(join(tmpdir(), 'postern-setup-')));
  });
  afterEach(() => rmSync(layout.root, { recursive: true }));

  const setUp = (environment: string, settings?: string) => {
    const files = { environment, ...(settings === undefined ? {} : { settings }) };
    for (const step of listSetupSteps(inventory(), host, layout, files)) {
      const { status, stderr } = spawnSync('sh', ['-c', step.script], {
        input: step.secret ?? '',
        encoding: 'utf8',
      });
      if (status !== 0) return `${step.name}: ${stderr.trim()}`;
    }
    return 'done';
  };
  const environmentOnHost = () => readFileSync(join(layout.shared, 'postern.env'), 'utf8');

  it('makes the directories and brings settings and secrets, again and again', () => {
    for (let time = 0; time < 2; time += 1)
      assert.equal(setUp(`POSTERN_SECRET_KEY=${key('a')}\n`, 'hostname = "a.test"\n'), 'done');

    assert.equal(readFileSync(join(layout.shared, 'postern.toml'), 'utf8'), 'hostname = "a.test"\n');
    assert.match(environmentOnHost(), /^POSTERN_ENV=production$/m);
    assert.equal(statSync(join(layout.shared, 'postern.env')).mode & 0o007, 0);
    assert.equal(statSync(layout.shared).mode & 0o007, 0);
  });

  it('never brings another master key, and takes a rotation', () => {
    setUp(`POSTERN_SECRET_KEY=${key('a')}\n`);

    assert.match(
      setUp(`POSTERN_SECRET_KEY=${key('b')}\n`),
      /has another POSTERN_SECRET_KEY .* copy it there first/,
    );
    assert.ok(environmentOnHost().includes(key('a')));
    assert.equal(setUp(`POSTERN_SECRET_KEY=${key('b')},${key('a')}\n`), 'done');
    assert.equal(setUp(`POSTERN_SECRET_KEY="${key('b')}"\n`), 'done');
  });

  it('shows no secret in a script', () => {
    const secret = key('s');
    const steps = listSetupSteps(inventory({ system: true }), host, layout, {
      environment: `POSTERN_SECRET_KEY=${secret}\n`,
    });

    assert.ok(steps.some((step) => step.secret?.includes(secret)));
    assert.equal(
      steps.some((step) => step.script.includes(secret)),
      false,
    );
  });

  it('looks after the system only where it is told to', () => {
    const names = (system: boolean) =>
      listSetupSteps(inventory({ system }), host, layout, { environment: '' }).map(({ name }) => name);

    assert.deepEqual(names(false), ['directories', 'secrets']);
    const all = [
      'packages',
      'node',
      'users',
      'kernel',
      'limits',
      'directories',
      'secrets',
      'logrotate',
      'boot',
    ];
    assert.deepEqual(names(true), all);
  });
});

describe('environmentOf', () => {
  const environment = 'POSTERN_SECRET_KEY=x\n';

  it('names the instance after the host, and keeps what the file says', () => {
    assert.match(environmentOf(host, { environment }), /^POSTERN_INSTANCE_ID=vm1-example-com$/m);
    const named = environmentOf(host, { environment: `${environment}POSTERN_INSTANCE_ID=one\n` });
    assert.deepEqual(named.match(/POSTERN_INSTANCE_ID=.*/g), ['POSTERN_INSTANCE_ID=one']);
  });

  it('is production, unless the settings say otherwise', () => {
    assert.match(environmentOf(host, { environment }), /^POSTERN_ENV=production$/m);
    const settings = 'environment = "test"\n';
    assert.doesNotMatch(environmentOf(host, { environment, settings }), /POSTERN_ENV/);
  });
});

describe('readInstallationFiles', () => {
  it('makes the secrets, and in a trial leaves no file', () => {
    const directory = mkdtempSync(join(tmpdir(), 'postern-setup-'));

    assert.match(readInstallationFiles(directory, { isTrial: true }).environment, /^POSTERN_SECRET_KEY=/m);
    assert.deepEqual(readdirSync(directory), []);

    const { environment } = readInstallationFiles(directory);
    assert.equal(readFileSync(join(directory, 'postern.env'), 'utf8'), environment);
    assert.equal(readInstallationFiles(directory).environment, environment, 'made once');
    rmSync(directory, { recursive: true });
  });
});

describe('readHostFiles', () => {
  it('lets what is said of one host win, and takes no file that others can read', () => {
    const directory = mkdtempSync(join(tmpdir(), 'postern-setup-'));
    const file = join(directory, 'postern.vm1.env');
    writeFileSync(file, 'QUEUE_DATABASE_URL=postgres://own\n', { mode: 0o600 });
    const files = { environment: 'QUEUE_DATABASE_URL=postgres://all\nREDIS_URL=redis://all\n' };

    const { environment } = readHostFiles(directory, 'vm1', files);

    assert.deepEqual(
      { ...parseEnv(environment) },
      { QUEUE_DATABASE_URL: 'postgres://own', REDIS_URL: 'redis://all' },
    );
    assert.equal(readHostFiles(directory, 'vm2', files), files);
    chmodSync(file, 0o644);
    assert.throws(() => readHostFiles(directory, 'vm1', files), /can be read by others: chmod 600 it/);
    rmSync(directory, { recursive: true });
  });
});

describe('firewall', () => {
  it('closes the inner ports to all but the machine and the trusted, and no other port', () => {
    const { content } = firewall(createTestSettings(), ['10.0.0.0/24', 'fd00::1']);

    assert.match(content, /tcp dport != \{ 3000, 3001, 3002, 3004, 1026, 12080, 12081, 3003 \} accept/);
    assert.match(
      content,
      /ip saddr \{ 10\.0\.0\.0\/24 \} accept\n\s+ip6 saddr \{ fd00::1 \} accept\n\s+drop/,
    );
  });
});
