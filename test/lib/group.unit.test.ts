import assert from 'node:assert/strict';
import { Group } from '../../lib/group.ts';

describe('group commit', () => {
  function groupOf(options: { maxItems?: number; maxSize?: number } = {}) {
    const flushes: number[][] = [];
    const gates: (() => void)[] = [];
    const group = new Group<number, number>({
      maxItems: 100,
      sizeOf: (item) => item,
      ...options,
      flush: async (items) => {
        flushes.push(items);
        await new Promise<void>((open) => gates.push(open));
        if (items.includes(13)) throw new Error('unlucky');
        return items.map((item) => item * 10);
      },
    });
    const openAll = async () => {
      for (let i = 0; i < 20; i++) {
        gates.shift()?.();
        await new Promise(setImmediate);
      }
    };
    return { group, flushes, openAll };
  }

  it('flushes a single item at once and gathers the rest while that is under way', async () => {
    const { group, flushes, openAll } = groupOf();
    const results = Promise.all([1, 2, 3].map((item) => group.add(item)));
    await openAll();

    assert.deepEqual(await results, [10, 20, 30]);
    assert.deepEqual(flushes, [[1], [2, 3]]);
  });

  it('keeps to the number and the size of a flush; a large item goes alone', async () => {
    const { group, flushes, openAll } = groupOf({ maxItems: 3, maxSize: 10 });
    const results = Promise.all([1, 1, 1, 1, 1, 50, 6, 6].map((item) => group.add(item)));
    await openAll();
    await results;

    assert.deepEqual(flushes, [[1], [1, 1, 1], [1], [50], [6], [6]]);
  });

  it('fails those of a failed flush, and goes on', async () => {
    const { group, openAll } = groupOf();
    const first = group.add(13);
    const second = group.add(2);
    const outcomes = Promise.allSettled([first, second]);
    await openAll();

    assert.deepEqual(
      (await outcomes).map(({ status }) => status),
      ['rejected', 'fulfilled'],
    );
  });
});
