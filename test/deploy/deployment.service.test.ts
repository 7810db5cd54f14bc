/** Deployments of a small project over a real sshd: killed, failing, at the same time, and taken back (DP-1). */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeBinary, projectRoot } from '../../deploy/local/installation.ts';
import { createDeployFixture, type DeployFixture } from '../support/deploy-fixture.ts';
import { waitFor } from '../support/mail.ts';
import { type SshHost, startSshHost } from '../support/ssh-host.ts';

describe('a deployment', function () {
  this.timeout(300_000);
  let host: SshHost;
  let fixture: DeployFixture;
  before(async () => {
    host = await startSshHost(['vm1']);
    fixture = createDeployFixture(host);
  });
  after(() => host?.stop());

  const start = (...parameters: string[]): ChildProcess =>
    spawn(
      nodeBinary,
      [
        ...[join(projectRoot, 'bin/postern.ts'), 'deploy', ...parameters],
        ...['--inventory', fixture.inventoryFile, '--source', fixture.source],
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
  const finish = async (child: ChildProcess) => {
    let text = '';
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk: Buffer) => {
        text += chunk;
      });
    const [code, signal] = await once(child, 'close');
    return { code, signal, text };
  };
  const deploy = (...parameters: string[]) => finish(start(...parameters));
  const current = () => readlinkSync(join(fixture.root, 'current')).replace('releases/', '');
  const releases = () => readdirSync(join(fixture.root, 'releases')).sort();

  it('brings up a first release, a line for each phase', async () => {
    const { code, text } = await deploy();

    assert.equal(code, 0, text);
    const phases = [...text.matchAll(/^✓ (\w+) /gm)].map(([, name]) => name);
    const all = ['check', 'build', 'upload', 'release', 'migrate', 'switch', 'restart', 'verify', 'prune'];
    assert.deepEqual(phases, all);
    assert.equal(fixture.running(), current());
  });

  for (const phase of ['upload', 'release', 'migrate', 'switch', 'restart', 'verify']) {
    it(`that is killed before ${phase} leaves running what ran, and no lock`, async () => {
      const before = { running: fixture.running(), current: current() };
      fixture.setHook(`before-${phase}`, 'kill -9 "$PPID"');

      const { signal } = await deploy();

      fixture.setHook(`before-${phase}`, undefined);
      assert.equal(signal, 'SIGKILL');
      if (phase !== 'verify') assert.equal(fixture.running(), before.running);
      if (!['restart', 'verify'].includes(phase)) assert.equal(current(), before.current);
    });
  }

  it('succeeds after all of those', async () => {
    const { code, text } = await deploy();

    assert.equal(code, 0, text);
    assert.equal(fixture.running(), current());
    assert.ok(existsSync(join(fixture.root, 'releases', current(), 'VERIFIED')));
    assert.equal(releases().length, 2, 'two that ran well are kept, and nothing of those that were killed');
  });

  it('goes back by itself when a health check stays red, and says why', async () => {
    const before = current();
    fixture.commit('RED', 'yes');

    const { code, text } = await deploy();

    fixture.commit('RED', undefined);
    assert.equal(code, 1, text);
    assert.match(text, /verify failed: vm1: api answers 503\n\s+going back/);
    assert.equal(current(), before);
    assert.equal(fixture.running(), before);
  });

  it('changes nothing when the settings are wrong for the new code', async () => {
    const before = current();
    fixture.commit('WRONG', 'yes');

    const { code, text } = await deploy();

    fixture.commit('WRONG', undefined);
    assert.equal(code, 1);
    assert.match(text, /vm1: the configuration has problems/);
    assert.equal(current(), before);
  });

  it('is refused while another is under way, and told whose', async () => {
    fixture.setHook(
      'before-build',
      `touch ${host.directory}/begun; while [ ! -e ${host.directory}/go ]; do sleep 0.1; done`,
    );
    const first = start();
    const finished = finish(first);
    await waitFor('the first to begin', async () => existsSync(join(host.directory, 'begun')) || undefined);

    const { code, text } = await deploy();
    writeFileSync(join(host.directory, 'go'), '');

    assert.equal(code, 1);
    assert.match(text, new RegExp(`another deployment is under way: .* ${first.pid}, since .*: deploy `));
    assert.equal((await finished).code, 0);
    fixture.setHook('before-build', undefined);
  });

  it('is taken back, and what lies on the hosts is listed', async () => {
    const newest = current();

    const { code, text } = await deploy('rollback');

    assert.equal(code, 0, text);
    assert.ok(current() < newest);
    assert.equal(fixture.running(), current());
    assert.match((await deploy('releases')).text, new RegExp(`${current()} .* runs\\n`));
    assert.match(
      readFileSync(join(fixture.root, 'deployments.log'), 'utf8'),
      / rollback \d+ [0-9a-f]{40}\n$/,
    );
  });

  it('fails with its hook', async () => {
    const before = current();
    fixture.setHook('before-migrate', 'echo "the freeze lasts until Monday" >&2; exit 1');

    const { code, text } = await deploy();

    assert.equal(code, 1);
    assert.match(text, /hook before-migrate: the freeze lasts until Monday/);
    assert.equal(current(), before);
  });
});
