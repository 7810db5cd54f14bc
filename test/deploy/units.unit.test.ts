import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { layOut } from '../../deploy/commands/layout.ts';
import { isOnPath } from '../../deploy/local/debian-packages.ts';
import { processTable } from '../../deploy/process-table.ts';
import { bootUnit } from '../../deploy/setup/system-files.ts';
import { listUnits } from '../../deploy/setup/units.ts';

const layout = layOut('/srv/postern');
const roles = processTable.map(({ name }) => name);

describe('the units of systemd', () => {
  it('are those of the roles, each with a user of its own', () => {
    const units = listUnits(layout, ['mta', 'gateway']);

    assert.deepEqual(
      units.map(({ path }) => basename(path)),
      ['postern-mta.service', 'postern-gateway.service'],
    );
    assert.match(units[0]?.content ?? '', /^User=postern-mta$/m);
    assert.match(units[0]?.content ?? '', /^CapabilityBoundingSet=$/m);
    assert.match(units[1]?.content ?? '', /^AmbientCapabilities=CAP_NET_BIND_SERVICE$/m);
    assert.match(units[1]?.content ?? '', /^RestartPreventExitStatus=78$/m);
  });

  it('are taken by systemd', function () {
    if (!isOnPath('systemd-analyze')) {
      console.log('      skipped: systemd-analyze is not installed');
      return this.skip();
    }
    // It wants the programs that units start.
    const root = mkdtempSync(join(tmpdir(), 'postern-units-'));
    const node = join(root, 'current/node_modules/node/bin');
    mkdirSync(node, { recursive: true });
    writeFileSync(join(node, 'node'), '#!/bin/sh\n', { mode: 0o755 });
    const own = layOut(root);
    const files = [...listUnits(own, roles), bootUnit(own, roles)].map(({ path, content }) => {
      const file = join(root, basename(path));
      writeFileSync(file, content);
      return file;
    });

    const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...files], {
      encoding: 'utf8',
    });
    rmSync(root, { recursive: true });

    const said = stderr
      .split('\n')
      .filter((line) => line.includes('postern-') || line.includes('postern.service'));
    // Keys of a later systemd are left out by an earlier one.
    const wrong = said.filter(
      (line) => !/Unknown key (?:name )?'(RestartSteps|RestartMaxDelaySec)'/.test(line),
    );
    assert.deepEqual(wrong, []);
    assert.equal(status, 0, stderr);
  });
});
