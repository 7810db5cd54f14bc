import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { namesIn, readDashboard, rulesFile } from '../../support/monitoring-files.ts';

const hasPromtool = spawnSync('promtool', ['--version']).status === 0;

describe('deploy/monitoring', () => {
  before(function () {
    if (hasPromtool) return;
    console.log('      skipped: promtool is not installed (Debian: prometheus)');
    this.skip();
  });

  it('has rules that Prometheus takes', () => {
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'rules', rulesFile], {
      encoding: 'utf8',
    });

    assert.equal(status, 0, stdout + stderr);
  });

  it('has queries on the dashboard that Prometheus takes', () => {
    const directory = mkdtempSync(join(tmpdir(), 'postern-rules-'));
    const rules = readDashboard()
      .panels.flatMap(({ targets = [] }) => targets)
      .map(({ expr }, index) => ({
        record: `query:${index}`,
        expr: expr.replaceAll('$__rate_interval', '5m'),
      }));
    writeFileSync(join(directory, 'rules.yml'), JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));

    const { status, stdout, stderr } = spawnSync(
      'promtool',
      ['check', 'rules', join(directory, 'rules.yml')],
      {
        encoding: 'utf8',
      },
    );
    rmSync(directory, { recursive: true });

    assert.equal(status, 0, stdout + stderr);
  });
});

describe('the dashboard', () => {
  it('has panels with ids of their own that do not lie on each other', () => {
    const { panels } = readDashboard();
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`),
    );

    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
    assert.equal(new Set(cells).size, cells.length);
    assert.ok(panels.every(({ type, targets = [] }) => type === 'row' || targets.length > 0));
  });

  it('names metrics, and the test of the running system finds them', () => {
    assert.deepEqual(namesIn('rate(postern_a_seconds_bucket[5m]) / postern_b_total + up'), [
      'postern_a_seconds',
      'postern_b_total',
    ]);
  });
});
