import assert from 'node:assert/strict';
import { scriptOf, scripts } from '../../api/mail/sandbox-script.ts';

const typesOf = (recipient: string) => scriptOf(recipient).map(({ type }) => type);

describe('api/mail/sandbox-script', () => {
  it('goes by the local part, with or without a suffix, at any domain, in any case', () => {
    for (const recipient of ['bounce@a.test', 'BOUNCE+1@b.example', 'bounce+a+b@c.test']) {
      assert.deepEqual(typesOf(recipient), ['bounced'], recipient);
    }
    assert.deepEqual(typesOf('defer-once+x@a.test'), ['deferred', 'delivered']);
    assert.deepEqual(typesOf('defer@a.test'), ['deferred', 'deferred', 'expired']);
    assert.deepEqual(typesOf('complain@a.test'), ['delivered', 'complained']);
  });

  it('delivers to everybody else', () => {
    for (const recipient of [
      'ann@a.test',
      'bouncer@a.test',
      '__proto__@a.test',
      'constructor@a.test',
      '+@a.test',
    ]) {
      assert.deepEqual(typesOf(recipient), ['delivered'], recipient);
    }
  });

  it('ends each script with something final', () => {
    for (const [name, script] of Object.entries(scripts)) {
      assert.notEqual(script.at(-1)?.type, 'deferred', name);
    }
  });
});
