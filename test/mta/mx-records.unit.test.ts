import assert from 'node:assert/strict';
import { createRecordFinder, orderExchanges, replyOfDnsError } from '../../mta/mx-records.ts';

const record = (exchange: string, priority: number) => ({ exchange, priority });

/** Gives the numbers in turn. */
const lots = (...numbers: number[]) => {
  const left = [...numbers];
  return () => left.shift() ?? 0;
};

describe('MX records (OB-2)', () => {
  const equals = [record('b.test', 20), record('a1.test', 10), record('a2.test', 10)];

  it('come best first, equals by lot (RFC 5321 5.1)', () => {
    const names = (...numbers: number[]) =>
      orderExchanges(equals, lots(...numbers)).map(({ exchange }) => exchange);
    assert.deepEqual(names(0, 0.1, 0.9), ['a1.test', 'a2.test', 'b.test']);
    assert.deepEqual(names(0, 0.9, 0.1), ['a2.test', 'a1.test', 'b.test']);
  });

  it('share the load of equals', () => {
    const first = new Set(
      Array.from({ length: 100 }, () => orderExchanges(equals, Math.random)[0]?.exchange),
    );
    assert.deepEqual(first, new Set(['a1.test', 'a2.test']));
  });

  it('are 100 at most, the best ones', () => {
    const many = Array.from({ length: 500 }, (_, n) => record(`mx${n}.test`, 500 - n));
    const ordered = orderExchanges(many, Math.random);
    assert.equal(ordered.length, 100);
    assert.deepEqual([ordered[0]?.priority, ordered[99]?.priority], [1, 100]);
  });

  it('are found beside records of other types, which come as they are', async () => {
    const find = createRecordFinder({
      resolve: async (name: string, type: string) => [`${type} of ${name}`],
      resolveMx: async () => [record('b.test', 2), record('a.test', 1)],
    } as never);
    assert.deepEqual(await find('x.test', 'MX'), [record('a.test', 1), record('b.test', 2)]);
    assert.deepEqual(await find('x.test', 'AAAA'), ['AAAA of x.test']);
  });
});

describe('an error of the DNS', () => {
  for (const [code, temporary, expected] of [
    ['ENULLMX', undefined, '556 5.1.10'],
    ['ENOTFOUND', undefined, '550 5.1.2'],
    ['ESERVFAIL', true, '451 4.4.3'],
    ['ETIMEOUT', true, '451 4.4.3'],
    ['InvalidIpAddress', undefined, '550 5.4.6'],
    ['InvalidIpAddress', true, '451 4.4.4'],
  ] as const) {
    it(`${code}${temporary ? ', for now,' : ''} is told as ${expected}`, () => {
      const error = Object.assign(new Error('no'), {
        category: 'dns',
        code,
        ...(temporary && { temporary }),
      });
      assert.equal(replyOfDnsError(error), `${expected} DNS Error: no`);
    });
  }

  it('is told from one of the network', () => {
    const error = Object.assign(new Error('refused'), { category: 'network', code: 'ECONNREFUSED' });
    assert.equal(replyOfDnsError(error), undefined);
  });
});
