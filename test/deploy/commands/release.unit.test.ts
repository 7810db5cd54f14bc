/** The scripts as a host runs them, each killed where it is half done and run again (DP-1). */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Layout, layOut, nameRelease } from '../../../deploy/commands/layout.ts';
import { readMigrations } from '../../../deploy/commands/programs.ts';
import { receiveRelease, removeReleases, switchTo } from '../../../deploy/commands/release.ts';
import { quote, script } from '../../../deploy/commands/shell.ts';

const release = { name: '20260101000000', revision: 'a'.repeat(40) };

describe('the scripts of a release', () => {
  let layout: Layout;
  beforeEach(() => {
    layout = layOut(mkdtempSync(join(tmpdir(), 'postern-release-')));
    for (const path of [layout.releases, layout.shared]) mkdirSync(path);
  });
  afterEach(() => rmSync(layout.root, { recursive: true }));

  const run = (text: string, input: Buffer | string = '') =>
    spawnSync('sh', ['-c', text], { input, encoding: 'utf8' });
  const archive = () => {
    writeFileSync(join(layout.shared, 'README.md'), 'hello');
    return execFileSync('tar', ['-C', layout.shared, '-czf', '-', 'README.md']);
  };
  const receive = (bytes: Buffer) => run(receiveRelease(layout, release), bytes);

  it('bring a release under its name whole, with its revision and the installation', () => {
    const { status, stderr } = receive(archive());

    assert.equal(status, 0, stderr);
    const directory = join(layout.releases, release.name);
    assert.equal(readFileSync(join(directory, 'README.md'), 'utf8'), 'hello');
    assert.equal(readFileSync(join(directory, 'REVISION'), 'utf8'), `${release.revision}\n`);
    assert.equal(readlinkSync(join(directory, 'var')), layout.shared);
  });

  it('know no release of an upload that was cut off, and take it at the second try', () => {
    const whole = archive();

    assert.notEqual(receive(whole.subarray(0, whole.length / 2)).status, 0);
    assert.equal(existsSync(join(layout.releases, release.name)), false);

    assert.equal(receive(whole).status, 0);
    assert.deepEqual(readdirSync(layout.releases), [release.name]);
  });

  it('leave a release alone that is there already', () => {
    receive(archive());

    assert.equal(receive(Buffer.from('no archive')).status, 0);
    assert.ok(existsSync(join(layout.releases, release.name, 'README.md')));
  });

  it('switch by a rename, once, and write it down', () => {
    receive(archive());
    run(`ln -s releases/older ${quote(`${layout.root}/.current`)}`); // left by one that was killed

    for (let time = 0; time < 2; time += 1)
      assert.equal(run(switchTo(layout, release.name, 'deploy')).status, 0);

    assert.equal(readlinkSync(layout.current), `releases/${release.name}`);
    const log = readFileSync(join(layout.root, 'deployments.log'), 'utf8');
    assert.match(log, new RegExp(`^\\S+Z deploy ${release.name} ${release.revision}\\n$`));
  });

  it('remove releases, also one that was half removed', () => {
    receive(archive());
    mkdirSync(join(layout.releases, '.removed-1'));

    assert.equal(run(removeReleases(layout, [release.name])).status, 0);
    assert.deepEqual(readdirSync(layout.releases), []);
  });
});

describe('words of a script', () => {
  it('are what they are, whatever is in them', () => {
    for (const word of ["it's", '$(reboot)', '`reboot`', 'a b\nc', '"', '\\', '']) {
      assert.equal(
        execFileSync('sh', ['-c', script({ word }, 'printf %s "$word"')], { encoding: 'utf8' }),
        word,
      );
    }
  });
});

describe('nameRelease', () => {
  it('is the moment in UTC, so that names sort by age', () => {
    assert.equal(nameRelease(new Date('2026-11-24T21:59:58.123Z')), '20261124215958');
  });
});

describe('readMigrations', () => {
  it('finds what both programs say', () => {
    const said = '{"applied":["0001_initial.sql"],"msg":"database.migrated"}\nqueue: ran 0002_control.sql\n';
    assert.deepEqual(readMigrations(said), ['0001_initial.sql', '0002_control.sql']);
    assert.deepEqual(readMigrations('{"applied":[]}\nqueue: up to date\n'), []);
  });
});
