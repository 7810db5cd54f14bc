import assert from 'node:assert/strict';
import { takeIdentity } from '../../plugins/intake.ts';

function headersOf(fields: Record<string, string>) {
  return {
    getList: () => Object.entries(fields).map(([key, value]) => ({ key, line: `${key}: ${value}` })),
    getFirst: (name: string) => fields[name] ?? '',
    hasHeader: (name: string) => name in fields,
    remove: (name: string) => delete fields[name],
    addFormatted() {},
  };
}

const complete = {
  'x-postern-message': '12',
  'x-postern-organization': '3',
  'x-postern-domain': 'sender.test',
};

describe('intake', () => {
  it('takes the identity and leaves none of its fields', () => {
    const fields: Record<string, string> = { ...complete, subject: 'Hi' };

    assert.deepEqual(takeIdentity(headersOf(fields)), {
      messageId: 12,
      organizationId: 3,
      domain: 'sender.test',
    });
    assert.deepEqual(fields, { subject: 'Hi' });
  });

  it('takes priority and tags where they are valid', () => {
    const tags = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64');
    const take = (fields: Record<string, string>) => takeIdentity(headersOf({ ...complete, ...fields }));

    const given = take({ 'x-postern-priority': '0', 'x-postern-tags': tags(['a', 'ü\n']) });
    assert.deepEqual([given?.priority, given?.tags], [0, ['a', 'ü\n']]);
    const invalid = take({ 'x-postern-priority': '10', 'x-postern-tags': tags({ a: 1 }) });
    assert.deepEqual([invalid?.priority, invalid?.tags], [undefined, undefined]);
  });

  it('takes yes alone for an answer about links to unsubscribe', () => {
    const take = (value: string) => takeIdentity(headersOf({ ...complete, 'x-postern-unsubscribe': value }));

    assert.equal(take(' yes')?.hasUnsubscribeLink, true);
    for (const value of ['no', '', 'yes, no']) assert.equal(take(value)?.hasUnsubscribeLink, undefined);
  });

  for (const [name, value] of [
    ['x-postern-message', ''],
    ['x-postern-message', '1e3'],
    ['x-postern-message', '-1'],
    ['x-postern-organization', '9'.repeat(20)],
    ['x-postern-domain', 'a b'],
    ['x-postern-domain', ''],
  ] as const) {
    it(`refuses ${name} "${value}"`, () => {
      assert.equal(takeIdentity(headersOf({ ...complete, [name]: value })), undefined);
    });
  }
});
