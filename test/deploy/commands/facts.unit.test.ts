import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chooseRollback, findHostProblems } from '../../../deploy/check-host.ts';
import { askFacts, type HostFacts, readFacts } from '../../../deploy/commands/facts.ts';
import { layOut } from '../../../deploy/commands/layout.ts';
import { choosePrunable } from '../../../deploy/prune.ts';

const needs = { minFreeMegabytes: 1 };

describe('facts of a host', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'postern-facts-'));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const ask = () => readFacts(execFileSync('sh', ['-c', askFacts(layOut(root))], { encoding: 'utf8' }));

  it('are few before setup, and setup is what is asked for', () => {
    const facts = ask();

    assert.equal(facts.isPrepared, false);
    assert.deepEqual(facts.releases, []);
    assert.match(findHostProblems(facts, layOut(root), needs).join(), /run "postern deploy setup" first/);
  });

  it('name the releases, the current one, and what is private', () => {
    for (const name of [
      'releases/20260101000000',
      'releases/20260102000000',
      'releases/.partial-1',
      'shared',
    ])
      mkdirSync(join(root, name), { recursive: true });
    writeFileSync(join(root, 'releases/20260101000000/REVISION'), 'abc\n');
    writeFileSync(join(root, 'releases/20260101000000/VERIFIED'), '');
    symlinkSync('releases/20260101000000', join(root, 'current'));
    writeFileSync(join(root, 'shared/postern.env'), '', { mode: 0o640 });

    const facts = ask();

    assert.equal(facts.current, '20260101000000');
    assert.deepEqual(facts.releases, [
      { name: '20260101000000', revision: 'abc', isVerified: true },
      { name: '20260102000000', revision: '', isVerified: false },
    ]);
    assert.equal(facts.environmentMode, '640');
    assert.ok(facts.freeMegabytes > 0);
    assert.deepEqual(findHostProblems(facts, layOut(root), needs), []);
  });

  it('tell of secrets that others can read, and of a full disk', () => {
    const facts = { ...prepared([]), environmentMode: '644', freeMegabytes: 3 };

    const problems = findHostProblems(facts, layOut('/srv/postern'), { minFreeMegabytes: 1_500 });

    assert.match(problems.join('\n'), /postern\.env can be read by everybody/);
    assert.match(problems.join('\n'), /3 MB are free .* and 1500 needed/);
  });
});

function prepared(
  releases: [name: string, isVerified: boolean][],
  changes: Partial<HostFacts> = {},
): HostFacts {
  return {
    ...{ user: 'root', isPrepared: true, environmentMode: '600', freeMegabytes: 9_000 },
    programs: ['tar', 'gzip', 'flock', 'timeout'],
    releases: releases.map(([name, isVerified]) => ({ name, revision: 'abc', isVerified })),
    ...changes,
  };
}

describe('chooseRollback', () => {
  it('takes the newest before the current one that ran well', () => {
    const facts = prepared(
      [
        ['1', true],
        ['2', true],
        ['3', false],
        ['4', true],
      ],
      { current: '4' },
    );

    assert.deepEqual(chooseRollback(facts), { ok: true, release: '2' });
  });

  it('refuses where there is none, and a release that never ran well', () => {
    const facts = prepared(
      [
        ['1', false],
        ['2', true],
      ],
      { current: '2' },
    );

    assert.deepEqual(chooseRollback(facts), {
      ok: false,
      reason: 'there is no earlier release that ran well',
    });
    assert.deepEqual(chooseRollback(facts, '1'), { ok: false, reason: 'the release 1 never ran well' });
    assert.deepEqual(chooseRollback(facts, '9'), { ok: false, reason: 'there is no release 9' });
  });
});

describe('choosePrunable', () => {
  it('keeps the newest that ran well, the one that runs, and the one that pm2 runs from', () => {
    const facts = prepared(
      [
        ['1', true],
        ['2', true],
        ['3', false],
        ['4', true],
        ['5', true],
        ['6', false],
      ],
      { current: '6', daemon: '1' },
    );

    assert.deepEqual(choosePrunable(facts, 2), ['2', '3']);
  });
});
