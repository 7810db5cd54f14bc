import assert from 'node:assert/strict';
import { readPage, writePage } from '../../api/routes/cursor.ts';

describe('pages of a list', () => {
  /** As a model reads them */
  const list = (
    ids: readonly number[],
    { before = Number.POSITIVE_INFINITY, limit }: ReturnType<typeof need>,
  ) =>
    ids
      .filter((id) => id < before)
      .slice(0, limit)
      .map((id) => ({ id }));

  function need(page: ReturnType<typeof readPage>) {
    assert.ok(page);
    return page;
  }

  for (const [ids, limit, pages] of [
    [[5, 4, 3, 2, 1], 2, [[5, 4], [3, 2], [1]]],
    [
      [4, 3, 2, 1],
      2,
      [
        [4, 3],
        [2, 1],
      ],
    ], // the last one is full, and known to be the last
    [[], 1, [[]]],
  ] as const) {
    it(`give each row once: ${ids.length} rows, ${limit} a page`, () => {
      const got: number[][] = [];
      let cursor: string | null | undefined;
      while (cursor !== null) {
        const page = need(readPage({ limit, ...(cursor !== undefined && { cursor }) }));
        const { rows, next_cursor } = writePage(list(ids, page), page);
        got.push(rows.map(({ id }) => id));
        cursor = next_cursor;
      }
      assert.deepEqual(got, pages);
    });
  }

  for (const cursor of [
    '',
    'x',
    '7',
    'YmVmb3JlOjA',
    'YmVmb3JlOjE7ZHJvcA',
    'YmVmb3JlOjk5OTk5OTk5OTk5OTk5OTk5OQ',
  ]) {
    it(`take no cursor that they did not give: ${cursor}`, () => {
      assert.equal(readPage({ cursor, limit: 1 }), undefined);
    });
  }
});
