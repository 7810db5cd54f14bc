import assert from 'node:assert/strict';
import fc from 'fast-check';
import { normalizeAddress } from '../../lib/mail/address.ts';
import { ask, logIn } from './session.ts';
import { startTestGateway, type TestGateway } from './test-gateway.ts';

/** Where parsers part ways: quotes, escapes, dots, routes, ports, literals, A-labels, letters that IDNA maps */
const locals = fc.string({ unit: fc.constantFrom(...'ab."\\@<>%!:;,()[] +-ü'), minLength: 1, maxLength: 8 });
const domains = fc.oneof(
  fc.constantFrom(
    'x.example',
    'X.Example',
    'x.example.',
    'x.example:25',
    '[127.0.0.1]',
    '[IPv6:::1]',
    '127.0.0.1',
  ),
  fc.constantFrom(
    'x',
    '-x.example',
    'x-.example',
    'xn--mnchen-3ya.example',
    'xn--.example',
    'münchen.example',
  ),
  fc.constantFrom(
    '\u2163.example',
    '\uff41.example',
    'a\u3002example',
    'x..example',
    '.example',
    'x@y.example',
    '',
  ),
);

describe('an address', () => {
  let started: TestGateway;
  before(async () => {
    started = await startTestGateway();
  });
  after(() => started.close());

  it('AD-2: is judged here as by everybody else, and goes on as it was judged', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(locals, domains), { minLength: 1, maxLength: 20 }),
        async (parts) => {
          const client = await logIn(started.target);
          await ask(client, 'MAIL FROM:<ann@shop.example> SMTPUTF8');
          const taken = new Set<string>();
          for (const [local, domain] of parts) {
            const address = `${local}@${domain}`;
            const expected = normalizeAddress(address);
            const reply = await ask(client, `RCPT TO:<${address}>`);
            assert.match(reply, expected === undefined ? /^5\d\d / : /^250 2\.1\.5 /, address);
            if (expected !== undefined) taken.add(expected.toLowerCase());
          }
          if (taken.size > 0) {
            await ask(client, 'DATA');
            await client.send('From: ann@shop.example\r\nTo: b@x.example\r\n\r\nx\r\n.\r\n');
            assert.match(await client.readReply(), /^250 /);
            const to = started.api.submissions.at(-1)?.envelope.to.map((address) => address.toLowerCase());
            assert.deepEqual(new Set(to), taken);
          }
          client.close();
        },
      ),
      { numRuns: 20 },
    );
  });
});
