import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../../deploy/local/installation.ts';
import { actions, bounceClasses } from '../../../lib/bounces/taxonomy.ts';

describe('docs/bounces.md', () => {
  const page = readFileSync(join(projectRoot, 'docs/bounces.md'), 'utf8').replaceAll(/ +/g, ' ');

  it('lists every class as it is', () => {
    for (const [name, { isHard, meaning, action }] of Object.entries(bounceClasses)) {
      assert.ok(page.includes(`| \`${name}\` | ${isHard ? 'yes ' : ''}| ${meaning} | ${action} |`), name);
    }
  });

  it('lists every action as it is', () => {
    for (const [name, meaning] of Object.entries(actions))
      assert.ok(page.includes(`| \`${name}\` | ${meaning} |`), name);
  });
});
