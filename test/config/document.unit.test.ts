import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'mocha';
import { documentSettings } from '../../config/document.ts';

describe('docs/settings.md', () => {
  it('is what config/schema.ts says (else: node config/document.ts)', () => {
    assert.equal(readFileSync('docs/settings.md', 'utf8'), documentSettings());
  });

  it('gives each setting its meaning', () => {
    const unexplained = documentSettings()
      .split('\n')
      .filter((line) => /^\| `[^|]*\|[^|]*\|[^|]*\|\s*\|$/.test(line));
    assert.deepEqual(unexplained, []);
  });
});
