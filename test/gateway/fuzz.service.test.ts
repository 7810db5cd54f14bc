import assert from 'node:assert/strict';
import fc from 'fast-check';
import { DialogClient } from '../dialogs/client.ts';
import { expectAlive } from '../dialogs/runner.ts';
import { ask, logIn, openSession } from './session.ts';
import { startTestGateway, type TestGateway } from './test-gateway.ts';

/** Every state in which a line can come (mox: one arbitrary line in each protocol state) */
const STATES = ['greeted', 'tls', 'auth', 'password', 'known', 'mail', 'rcpt', 'data'] as const;
type State = (typeof STATES)[number];

const verbs = fc.constantFrom(
  ...[
    '',
    'HELO ',
    'EHLO ',
    'AUTH PLAIN ',
    'AUTH LOGIN ',
    'MAIL FROM:',
    'MAIL FROM:<ann@shop.example> ',
    'RCPT TO:',
  ],
  ...[
    'RCPT TO:<a@b.example> ',
    'DATA',
    'BDAT ',
    'RSET',
    'VRFY ',
    'EXPN ',
    'HELP ',
    'NOOP ',
    'QUIT',
    'STARTTLS',
    '.',
  ],
);
const odd = fc.string({ unit: fc.constantFrom(...'<>@"\\=:. \0\x7f\xffaZ0[]()+*\r\n\t') });
const lines = fc.array(fc.tuple(verbs, odd, fc.constantFrom('\r\n', '\r\n', '\n', '\r')), {
  minLength: 1,
  maxLength: 4,
});

describe('any bytes in any state', () => {
  let started: TestGateway;

  before(async () => {
    started = await startTestGateway({
      gateway: {
        maxAuthenticationFailuresPerAccount: 1e6,
        maxAuthenticationFailuresPerClient: 1e6,
        maxConnectionsPerClientPerMinute: 1e6,
      },
    });
  });
  after(() => started.close());

  const enter = async (state: State): Promise<DialogClient> => {
    const { target } = started;
    if (state === 'greeted') {
      const client = await DialogClient.open(target.smtp.host, target.smtp.starttls, { tls: false });
      await client.readReply();
      return client;
    }
    if (state === 'tls' || state === 'auth' || state === 'password') {
      const client = await openSession(target);
      if (state !== 'tls') await ask(client, 'AUTH LOGIN');
      if (state === 'password') await ask(client, 'eA==');
      return client;
    }
    const client = await logIn(target);
    const depth = STATES.indexOf(state) - STATES.indexOf('known');
    const steps = ['MAIL FROM:<ann@shop.example>', 'RCPT TO:<bob@receiver.example>', 'DATA'];
    for (const line of steps.slice(0, depth)) await ask(client, line);
    return client;
  };

  for (const state of STATES) {
    it(`are answered, or the session is closed: ${state}`, async () => {
      await fc.assert(
        fc.asyncProperty(lines, async (parts) => {
          const client = await enter(state);
          const bytes = `${parts.flat().join('')}\r\n.\r\nNOOP\r\n`;
          await client.send(Buffer.from(bytes, 'latin1'));
          const reply = await client.readReply().catch(() => client.expectClosed());
          if (reply !== undefined) assert.match(reply, /^[2-5]\d\d[ -][ -~\n]*$/);
          client.close();
        }),
        { numRuns: 15 },
      );
      await expectAlive(started.target);
    });
  }
});
