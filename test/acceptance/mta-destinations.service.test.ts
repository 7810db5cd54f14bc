/** What the DNS and the servers of recipients may say, and what becomes of the mail: the real mta, all cases at once. */
import assert from 'node:assert/strict';
import type { ZoneAnswer, ZoneRecord } from '../../sandbox/zone.ts';
import { handOverUntilAccepted } from '../support/intake-session.ts';
import { waitFor } from '../support/mail.ts';
import { createMtaWorld, type MtaWorld } from '../support/mta-process.ts';
import { DROP, type Reaction, type Stage } from '../support/scripted-sink.ts';

const found = (...records: ZoneRecord[]): ZoneAnswer => ({ status: 'found', records });
const mx = (exchange: string, priority = 10): ZoneRecord => ({ type: 'MX', priority, exchange });

/** What the DNS has of a domain's MX, and how the delivery ends, for now or for good. */
const domains: [id: string, domain: string, answer: ZoneAnswer, expected: RegExp][] = [
  ['OB-1', 'null-mx.test', found(mx('', 0)), /^bounced/],
  ['OB-2', 'only-a.test', found(), /^delivered/],
  ['OB-2', 'nxdomain.test', { status: 'not_found' }, /^bounced/],
  ['OB-2', 'servfail.test', { status: 'failed' }, /^deferred/],
  [
    'OB-2',
    'many.test',
    found(...Array.from({ length: 500 }, (_, n) => mx(`mx${n}.many.test`))),
    /^delivered/,
  ],
];

/** What the server says at a stage instead of what is usual, and how the delivery ends. */
const replies: [id: string, what: string, stage: Stage, reply: Reaction, expected: RegExp][] = [
  ['OB-5', 'a greeting of 421', 'connect', '421 4.3.2 Not now', /^deferred/],
  ['OB-5', 'a greeting of 554', 'connect', '554 5.3.2 Never', /^bounced/],
  ['OB-5', 'no greeting', 'connect', DROP, /^deferred/],
  ['OB-6', '451 at the dot', 'dot', '451 4.3.0 Local problem', /^deferred 451/],
  ['OB-6', '421 at MAIL', 'mail', '421 4.3.2 Closing', /^deferred 421/],
  ['OB-6', '421 at RCPT', 'rcpt', '421 4.3.2 Closing', /^deferred 421/],
  ['OB-6', '421 at DATA', 'data', '421 4.3.2 Closing', /^deferred 421/],
  ['OB-6', '250 without a text', 'rcpt', '250', /^delivered/],
  [
    'OB-6',
    '550 with a text of 10,000 lines',
    'rcpt',
    `${'550-No\r\n'.repeat(10_000)}550 5.1.1 No`,
    /^bounced 550/,
  ],
  ['OB-6', 'a line of 1 MB', 'rcpt', `550 5.1.1 ${'x'.repeat(1_000_000)}`, /^bounced 550/],
  ['OB-6', '000', 'rcpt', '000 What', /^(deferred|bounced)/],
  ['OB-6', '999', 'rcpt', '999 What', /^(deferred|bounced)/],
  ['OB-6', 'two digits', 'rcpt', '55 What', /^(deferred|bounced)/],
  ['OB-6', 'a lost connection at DATA', 'data', DROP, /^deferred/],
  ['OB-7', 'no PIPELINING, SIZE or 8BITMIME', 'ehlo', '250 plain.test', /^delivered/],
];

describe('mta and what its destinations say', function () {
  this.timeout(120_000);
  let world: MtaWorld;
  const outcomes = new Map<string, string>();

  const answers = new Map(domains.map(([, domain, answer]) => [domain, answer]));
  const scripts = new Map<string, { stage: Stage; reply: Reaction }>(
    replies.map(([, , stage, reply], n) => [`127.0.1.${n + 1}`, { stage, reply }]),
  );
  const domainOf = (n: number) => `reply-${n}.test`;

  before(async () => {
    world = await createMtaWorld('destinations', {
      sections: { queue: { retryDelaysSeconds: [600] } },
      answer: (name, type) => {
        const answer = answers.get(name);
        return type === 'MX' || answer?.status !== 'found' ? answer : undefined;
      },
    });
    for (const n of replies.keys()) world.setAddress(domainOf(n), `127.0.1.${n + 1}`);
    world.sink.script = ({ stage, address }) => {
      const script = scripts.get(address);
      return script?.stage === stage ? script.reply : undefined;
    };
    await world.mta.start();
    const sender = world.mta.find('sender');
    const sent = new Map<string, number>();
    for (const domain of [...answers.keys(), ...replies.map((_, n) => domainOf(n))]) {
      const message = world.newMessage({ to: [`r@${domain}`] });
      await handOverUntilAccepted(world.settings, message);
      sent.set(domain, message.messageId);
    }
    await waitFor('an end of each', async () => {
      for (const [domain, messageId] of sent) {
        const [event] = world.api.eventsOf(messageId);
        if (event) outcomes.set(domain, `${event.type} ${event.response ?? ''}`);
      }
      return outcomes.size === sent.size || undefined;
    }).catch(() => {}); // each test says what it misses
    assert.equal(world.mta.find('sender'), sender, 'the sender lives');
  });
  after(() => world.close());

  for (const [id, domain, , expected] of domains) {
    it(`${id}: ${domain}`, () => assert.match(outcomes.get(domain) ?? 'nothing', expected));
  }

  for (const [n, [id, what, stage, , expected]] of replies.entries()) {
    it(`${id}: ${what} (${stage})`, () => assert.match(outcomes.get(domainOf(n)) ?? 'nothing', expected));
  }

  it('OB-8: every response is one line of at most 1,000 characters', () => {
    for (const response of outcomes.values()) assert.match(response, /^\P{Cc}{1,1020}$/u);
  });
});
