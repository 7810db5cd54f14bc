import assert from 'node:assert/strict';
import { capLabel } from '../../lib/capped-label.ts';

describe('lib/capped-label', () => {
  it('tells the first apart, and counts those after them together', () => {
    const label = capLabel(2);

    assert.deepEqual(['a', 7, 'b', 'a', undefined].map(label), ['a', '7', 'other', 'a', 'other']);
  });
});
