/** What the DNS and the servers of recipients may say, and what becomes of the mail: the real mta, all cases at once. */
import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import type { ZoneAnswer, ZoneRecord } from '../../sandbox/zone.ts';
import { type HandOver, handOverUntilAccepted } from '../support/intake-session.ts';
import { waitFor } from '../support/mail.ts';
import { createMtaWorld, type MtaWorld } from '../support/mta-process.ts';
import { DROP, type Reaction, type Stage } from '../support/scripted-sink.ts';

const found = (...records: ZoneRecord[]): ZoneAnswer => ({ status: 'found', records });
const mx = (exchange: string, priority = 10): ZoneRecord => ({ type: 'MX', priority, exchange });
const a = (address: string): ZoneRecord => ({ type: 'A', address });

/** How each delivery ended: `delivered`, or the event and its reply. */
async function sendToAll(world: MtaWorld, messages: ReadonlyMap<string, Partial<HandOver>>) {
  const outcomes = new Map<string, string>();
  const sent = new Map<string, number>();
  for (const [domain, changes] of messages) {
    const message = world.newMessage({ to: [`r@${domain}`], ...changes });
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
  return outcomes;
}

/** What the DNS has of a domain's MX, and how the delivery ends, for now or for good. */
const domains: [id: string, domain: string, answer: ZoneAnswer, expected: RegExp][] = [
  ['OB-1', 'null-mx.test', found(mx('', 0)), /^bounced 556 5\.1\.10 /],
  ['OB-2', 'only-a.test', found(), /^delivered/],
  ['OB-2', 'nxdomain.test', { status: 'not_found' }, /^bounced 550 5\.1\.2 /],
  ['OB-2', 'servfail.test', { status: 'failed' }, /^deferred 451 4\.4\.3 /],
  ['OB-2', 'silent.test', { status: 'silent' }, /^deferred 451 4\.4\.3 /],
  ['OB-2', 'no-host.test', found(mx('nowhere.test')), /^bounced 550 5\.1\.2 /],
  // The answer is longer than a UDP packet: it is truncated, and asked for over TCP.
  [
    'OB-2',
    'many.test',
    found(...Array.from({ length: 500 }, (_, n) => mx(`mx${n}.many.test`))),
    /^delivered/,
  ],
  [
    'OB-5',
    'first-unreachable.test',
    found(mx('mx.unreachable.test', 1), mx('mx.good.test', 2)),
    /^delivered/,
  ],
  ['OB-5', 'first-silent.test', found(mx('mx.drops.test', 1), mx('mx.good.test', 2)), /^delivered/],
  ['OB-5', 'first-busy.test', found(mx('mx.busy.test', 1), mx('mx.good.test', 2)), /^delivered/],
  ['OB-5', 'first-closing.test', found(mx('mx.closing.test', 1), mx('mx.good.test', 2)), /^delivered/],
  ['OB-5', 'first-refusing.test', found(mx('mx.never.test', 1), mx('mx.good.test', 2)), /^bounced 554/],
  ['OB-5', 'all-busy.test', found(mx('mx.busy.test', 1), mx('mx.busy.test', 2)), /^deferred 421/],
];

/** The hosts that those name. */
const hosts: [host: string, address: string, stage?: Stage, reply?: Reaction][] = [
  ['mx.good.test', '127.0.2.1'],
  // The broadcast address of loopback: a connection fails at once.
  ['mx.unreachable.test', '127.255.255.255'],
  ['mx.drops.test', '127.0.2.2', 'connect', DROP],
  ['mx.busy.test', '127.0.2.3', 'connect', '421 4.3.2 Not now'],
  ['mx.closing.test', '127.0.2.4', 'ehlo', '421 4.3.2 Closing'],
  ['mx.never.test', '127.0.2.5', 'connect', '554 5.3.2 Never'],
];

/** What the server says at a stage instead of what is usual, and how the delivery ends. */
const replies: [id: string, what: string, stage: Stage, reply: Reaction, expected: RegExp][] = [
  ['OB-5', 'a greeting of 421', 'connect', '421 4.3.2 Not now', /^deferred 421/],
  ['OB-5', 'a greeting of 554', 'connect', '554 5.3.2 Never', /^bounced 554/],
  ['OB-5', 'no greeting', 'connect', DROP, /^deferred/],
  ['OB-6', '451 at the dot', 'dot', '451 4.3.0 Local problem', /^deferred 451/],
  ['OB-6', '421 at EHLO', 'ehlo', '421 4.3.2 Closing', /^deferred 421/],
  ['OB-6', '421 at MAIL', 'mail', '421 4.3.2 Closing', /^deferred 421/],
  ['OB-6', '421 at RCPT', 'rcpt', '421 4.3.2 Closing', /^deferred 421/],
  ['OB-6', '421 at DATA', 'data', '421 4.3.2 Closing', /^deferred 421/],
  ['OB-6', '421 at the dot', 'dot', '421 4.3.2 Closing', /^deferred 421/],
  ['OB-6', '250 without a text', 'rcpt', '250', /^delivered/],
  ['OB-6', '354 at MAIL', 'mail', '354 Go ahead', /^deferred The server asked for more at MAIL/],
  ['OB-6', '354 at RCPT', 'rcpt', '354 Go ahead', /^deferred The server asked for more at RCPT/],
  ['OB-6', '354 at the dot', 'dot', '354 Go ahead', /^deferred The server asked for more behind/],
  ['OB-6', '250 at DATA', 'data', '250 OK', /^deferred The server did not ask for the message/],
  ['OB-6', 'a second reply at MAIL', 'mail', '250 OK\r\n250 OK', /^deferred The server answered RCPT before/],
  [
    'OB-6',
    'all replies at MAIL',
    'mail',
    '250 OK\r\n250 OK\r\n354 Go\r\n250 2.0.0 Taken',
    /^deferred The server answered RCPT before/,
  ],
  [
    'OB-6',
    'the last reply at DATA',
    'data',
    '354 Go\r\n250 2.0.0 Taken',
    /^deferred The server answered the message before/,
  ],
  [
    'OB-6',
    '550 with a text of 10,000 lines',
    'rcpt',
    `${'550-No\r\n'.repeat(10_000)}550 5.1.1 No`,
    /^bounced 550/,
  ],
  ['OB-6', 'a line of 1 MB', 'rcpt', `550 5.1.1 ${'x'.repeat(1_000_000)}`, /^bounced 550/],
  [
    'OB-6',
    'a line of 4 MB',
    'rcpt',
    `550 5.1.1 ${'x'.repeat(4_000_000)}`,
    /^deferred Server response exceeds/,
  ],
  ['OB-6', 'a reply of 4 MB', 'rcpt', '250-x\r\n'.repeat(600_000), /^deferred Server response exceeds/],
  ['OB-6', '000', 'rcpt', '000 What', /^deferred The server said no SMTP reply: "000 What"/],
  ['OB-6', '999', 'rcpt', '999 What', /^deferred The server said no SMTP reply/],
  ['OB-6', 'two digits', 'rcpt', '55 What', /^deferred The server said no SMTP reply/],
  ['OB-6', 'two digits at the dot', 'dot', '25 OK', /^deferred The server said no SMTP reply/],
  ['OB-6', 'two codes', 'dot', '250-OK\r\n550 5.7.1 No', /^deferred The server said a reply of two codes/],
  [
    'OB-6',
    'a line without a code',
    'dot',
    '250-OK\r\nwell\r\n250 OK',
    /^deferred The server said no SMTP reply/,
  ],
  ['OB-6', 'an empty line in front', 'rcpt', '\r\n250 OK', /^delivered/],
  ['OB-6', 'a lost connection at DATA', 'data', DROP, /^deferred/],
  ['OB-6', 'a lost connection at the dot', 'dot', DROP, /^deferred/],
  ['OB-7', 'EHLO 500, so HELO', 'ehlo', '500 5.5.1 What', /^delivered/],
  ['OB-7', 'no PIPELINING, SIZE, 8BITMIME or SMTPUTF8', 'ehlo', '250 plain.test', /^delivered/],
  ['OB-7', 'PIPELINING', 'ehlo', '250-pipes.test\r\n250 PIPELINING', /^delivered/],
  ['OB-7', 'SIZE below the message', 'ehlo', '250-small.test\r\n250 SIZE 1000', /^bounced 552 5\.3\.4 /],
  ['OB-7', 'SIZE above the message', 'ehlo', '250-large.test\r\n250 SIZE 100000', /^delivered/],
];

describe('mta and what its destinations say', function () {
  this.timeout(120_000);
  let world: MtaWorld;
  let outcomes: Map<string, string>;
  let rebindings = 0;

  const answers = new Map(domains.map(([, domain, answer]) => [domain, answer]));
  const addresses = new Map(hosts.map(([host, address]) => [host, address]));
  const scripts = new Map<string, { stage: Stage | undefined; reply: Reaction }>([
    ...hosts.map(([, address, stage, reply]) => [address, { stage, reply }] as const),
    ...replies.map(([, , stage, reply], n) => [`127.0.1.${n + 1}`, { stage, reply }] as const),
  ]);
  const domainOf = (n: number) => `reply-${n}.test`;
  const commandsTo = (domain: string) => {
    const address = `127.0.1.${1 + replies.findIndex((_, n) => domainOf(n) === domain)}`;
    return world.sink.moments.filter((moment) => moment.address === address).map(({ command }) => command);
  };
  const domainWhere = (what: string) => domainOf(replies.findIndex((row) => row[1] === what));

  before(async () => {
    world = await createMtaWorld('destinations', {
      sections: { queue: { retryDelaysSeconds: [600] } },
      answer(name, type) {
        if (name === 'nowhere.test') return { status: 'not_found' };
        if (name === 'mx.rebinding.test' && type === 'A') return found(a(`127.0.3.${++rebindings}`));
        const address = addresses.get(name);
        if (address !== undefined) return found(...(type === 'A' ? [a(address)] : []));
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
    const names = [...answers.keys(), ...replies.map((_, n) => domainOf(n)), 'rebinding.test'];
    const body = 'x'.repeat(70).concat('\r\n').repeat(20); // longer than the least SIZE, shorter than the greatest
    outcomes = await sendToAll(world, new Map(names.map((name) => [name, { body }])));
    assert.equal(world.mta.find('sender'), sender, 'the sender lives');
  });
  after(() => world.close());

  for (const [id, domain, , expected] of domains) {
    it(`${id}: ${domain}`, () => assert.match(outcomes.get(domain) ?? 'nothing', expected));
  }

  for (const [n, [id, what, stage, , expected]] of replies.entries()) {
    it(`${id}: ${what} (${stage})`, () => assert.match(outcomes.get(domainOf(n)) ?? 'nothing', expected));
  }

  it('OB-4: the address that was found is the one that is connected to, once', () => {
    const dialled = world.sink.moments.filter(
      ({ stage, address }) => stage === 'connect' && address.startsWith('127.0.3.'),
    );
    assert.match(outcomes.get('rebinding.test') ?? 'nothing', /^delivered/);
    assert.deepEqual(
      dialled.map(({ address }) => address),
      ['127.0.3.1'],
    );
    assert.equal(rebindings, 1);
  });

  it('OB-6: a connection that lost its order is used for nothing else', () => {
    for (const what of ['354 at RCPT', 'two digits at the dot', 'a second reply at MAIL']) {
      const commands = commandsTo(domainWhere(what));
      assert.ok(!commands.some((command) => /^RSET|^QUIT/.test(command)), `${what}: ${commands}`);
    }
  });

  it('OB-7: HELO follows a refused EHLO', () => {
    const verbs = commandsTo(domainWhere('EHLO 500, so HELO')).map((command) => command.slice(0, 4));
    assert.deepEqual(verbs.slice(1, 4), ['EHLO', 'HELO', 'MAIL']);
  });

  it('OB-7: what a server offers is used, and nothing else', () => {
    const mailTo = (what: string) =>
      commandsTo(domainWhere(what)).find((command) => command.startsWith('MAIL'));
    assert.match(mailTo('no PIPELINING, SIZE, 8BITMIME or SMTPUTF8') ?? '', /^MAIL FROM:<[^>]+>$/);
    assert.match(mailTo('SIZE above the message') ?? '', /^MAIL FROM:<[^>]+> SIZE=\d{4}$/);
    assert.match(mailTo('354 at RCPT') ?? '', /^MAIL FROM:<[^>]+> BODY=8BITMIME$/);
    assert.equal(mailTo('SIZE below the message'), undefined);
  });

  it('OB-8: every response is one line of at most 1,000 characters', () => {
    for (const response of outcomes.values()) assert.match(response, /^\P{Cc}{1,1020}$/u);
  });
});

/** An address of this machine that is not of loopback, where it has one. */
const ownAddresses = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .filter(({ family, internal }) => family === 'IPv4' && !internal)
  .slice(0, 1);

/** Where a customer's DNS may lead, which is not where its mail goes. */
const forbidden: [what: string, exchange: string, ...addresses: ZoneRecord[]][] = [
  ['loopback', 'mx.loopback.test', a('127.0.0.1')],
  ['another address of loopback', 'mx.loop9.test', a('127.9.9.9')],
  ['a private network', 'mx.private.test', a('10.0.0.1')],
  ['a link-local address', 'mx.metadata.test', a('169.254.169.254')],
  ['the unspecified address', 'mx.zero.test', a('0.0.0.0')],
  ['loopback of IPv6', 'mx.six.test', { type: 'AAAA', address: '::1' }],
  ['loopback of IPv4 in IPv6', 'mx.mapped.test', { type: 'AAAA', address: '::ffff:127.0.0.1' }],
  ['localhost', 'localhost', a('127.0.0.1')],
  ['an address in place of a name', '127.0.0.1'],
  ['a test network', 'mx.documentation.test', a('192.0.2.1')],
  ...ownAddresses.map(({ address }): (typeof forbidden)[number] => [
    'this machine',
    'mx.own.test',
    a(address),
  ]),
  ['all of these', 'mx.several.test', a('127.0.0.1'), a('10.0.0.1'), a('0.0.0.0')],
];

describe('mta in production', function () {
  this.timeout(120_000);
  let world: MtaWorld;
  let outcomes: Map<string, string>;
  const domainOf = (n: number) => `forbidden-${n}.test`;

  before(async () => {
    const exchanges = new Map(forbidden.map(([, exchange], n) => [domainOf(n), exchange]));
    const addresses = new Map(forbidden.map(([, exchange, ...records]) => [exchange, records]));
    world = await createMtaWorld('forbidden', {
      environment: 'production',
      sections: {
        api: { publicUrl: 'https://api.postern.test' },
        gateway: { certificateFile: 'unread.pem', privateKeyFile: 'unread.pem' },
      },
      answer(name, type) {
        const exchange = exchanges.get(name);
        if (type === 'MX') return exchange === undefined ? undefined : found(mx(exchange));
        return found(...(addresses.get(name) ?? []).filter((record) => record.type === type));
      },
    });
    await world.mta.start();
    const names = [...exchanges.keys(), 'literal.test'];
    outcomes = await sendToAll(
      world,
      new Map(names.map((name) => [name, name === 'literal.test' ? { to: ['r@[127.0.0.1]'] } : {}])),
    );
  });
  after(() => world.close());

  for (const [n, [what]] of forbidden.entries()) {
    it(`OB-3: ${what} as an MX host bounces`, () =>
      assert.match(outcomes.get(domainOf(n)) ?? 'nothing', /^bounced 550 5\.4\.6 /));
  }

  it('OB-3: loopback as the domain bounces', () =>
    assert.match(outcomes.get('literal.test') ?? 'nothing', /^bounced 550 5\.4\.6 /));

  it('OB-3: nothing was connected to', () => assert.deepEqual(world.sink.moments, []));
});
