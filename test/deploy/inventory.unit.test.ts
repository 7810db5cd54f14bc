import assert from 'node:assert/strict';
import { checkInventory } from '../../deploy/inventory.ts';

const host = { name: 'vm1.example.com', roles: ['api', 'worker', 'mta', 'gateway', 'inbound'] };

function problemsOf(tree: unknown): string[] {
  const result = checkInventory(tree);
  return result.ok ? [] : result.problems;
}

describe('checkInventory', () => {
  it('needs no more than hosts with roles', () => {
    const result = checkInventory({ hosts: [host] });

    assert.ok(result.ok);
    assert.equal(result.inventory.root, '/srv/postern');
    assert.equal(result.inventory.supervisor, 'pm2');
    assert.deepEqual(result.inventory.ssh, { sudo: false });
  });

  const wrong: [string, unknown, RegExp][] = [
    ['no hosts', {}, /^\(top level\): must have required properties hosts/],
    ['an empty list of hosts', { hosts: [] }, /^hosts: must not have fewer than 1 items/],
    ['an unknown key', { hosts: [host], parallel: 3 }, /^parallel: unknown setting/],
    ['an unknown role', { hosts: [{ ...host, roles: ['web'] }] }, /^hosts\.0\.roles\.0: must be one of api/],
    ['a host without roles', { hosts: [{ name: 'vm1', roles: [] }] }, /^hosts\.0\.roles: /],
    [
      'a host that is an option of ssh',
      { hosts: [{ ...host, name: '-oProxyCommand=x' }] },
      /^hosts\.0\.name: /,
    ],
    ['a host with words of the shell', { hosts: [{ ...host, name: 'vm1;reboot' }] }, /^hosts\.0\.name: /],
    ['a host twice', { hosts: [host, host] }, /^hosts\.1\.name: vm1\.example\.com is there already/],
    ['no api', { hosts: [{ name: 'vm1', roles: ['mta'] }] }, /^hosts: none has the role api/],
    ['a relative root', { hosts: [host], root: 'srv' }, /^root: must match pattern/],
    ['the root of the machine', { hosts: [host], root: '/' }, /^root: must match pattern/],
    ['a root that leads elsewhere', { hosts: [host], root: '/srv/../etc' }, /^root: must match pattern/],
    ['too few releases', { hosts: [host], keepReleases: 1 }, /^keepReleases: /],
    [
      'an unknown supervisor',
      { hosts: [host], supervisor: 'runit' },
      /^supervisor: must be one of pm2, systemd/,
    ],
    ['a user that is an option', { hosts: [host], ssh: { user: '-x' } }, /^ssh\.user: /],
  ];
  for (const [what, tree, expected] of wrong) {
    it(`refuses ${what}, and names the field`, () => {
      const problems = problemsOf(tree);

      assert.ok(
        problems.some((problem) => expected.test(problem)),
        JSON.stringify(problems),
      );
    });
  }
});
