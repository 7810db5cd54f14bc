import assert from 'node:assert/strict';
import { type MatchableRoute, matchesPattern, matchRoute } from '../../../api/inbound/match-route.ts';

function route(localPart: string, subaddressing = true): MatchableRoute {
  const kind = localPart === '' ? 'catch_all' : localPart.includes('*') ? 'pattern' : 'exact';
  return { kind, localPart, subaddressing };
}

describe('inbound routes', () => {
  const routes = ['', 's*', 'sales-*', 'sales', 'sales+eu'].map((name) => route(name));

  for (const [localPart, expected] of [
    ['sales', 'sales'],
    ['sales+x', 'sales'],
    ['sales+eu', 'sales+eu'],
    ['sales+eu+x', 'sales'],
    ['sales-x', 'sales-*'],
    ['sam', 's*'],
    ['ann', ''],
    ['+x', ''],
  ] as const) {
    it(`give ${localPart} to the narrowest, ${expected || 'the catch-all'}`, () => {
      assert.equal(matchRoute(routes, localPart)?.localPart, expected);
    });
  }

  it('take no tag where sub-addressing is off', () => {
    assert.equal(matchRoute([route('ann', false)], 'ann+x'), undefined);
  });

  for (const [pattern, text, expected] of [
    ['a*b', 'ab', true],
    ['a*b', 'axb', true],
    ['ab*ba', 'aba', false],
    ['*x*y*', 'axby', true],
    ['*y*x*', 'axby', false],
    ['a.b', 'axb', false],
    [`${'*a'.repeat(5)}`, `${'a'.repeat(64)}b`, false],
  ] as const) {
    it(`match ${pattern} and ${text}: ${expected}`, () => {
      assert.equal(matchesPattern(pattern, text), expected);
    });
  }
});
