import assert from 'node:assert/strict';
import Type from 'typebox';
import { cacheKey } from '../../../lib/rpc/cache-key.ts';
import { defineContract } from '../../../lib/rpc/contracts/contract.ts';

const findThing = defineContract({
  name: 'findThing',
  method: 'GET',
  path: '/rpc/v1/things/:a',
  params: Type.Object({ a: Type.String(), b: Type.Optional(Type.String()) }),
  body: Type.Undefined(),
  reply: Type.Object({}),
  isIdempotent: true,
});

describe('cacheKey', () => {
  it('does not depend on the order of the params', () => {
    assert.equal(cacheKey(findThing, { a: '1', b: '2' }), cacheKey(findThing, { b: '2', a: '1' }));
  });

  it('is another for other params and another contract', () => {
    const keys = [
      cacheKey(findThing, { a: '1' }),
      cacheKey(findThing, { a: '2' }),
      cacheKey(findThing, { a: '1', b: '' }),
      cacheKey(findThing, { a: '1","b":"' }),
      cacheKey({ ...findThing, name: 'findOther' }, { a: '1' }),
    ];
    assert.equal(new Set(keys).size, keys.length);
  });

  it('shows nothing of the params', () => {
    assert.match(cacheKey(findThing, { a: 'secret\r\n' }), /^postern:rpc:1:findThing:[0-9a-f]{64}$/);
  });
});
