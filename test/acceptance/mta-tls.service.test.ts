/** Recipients' servers whose STARTTLS goes wrong in every way (TL-10, TL-11), and one that loses it (TL-14): the real mta. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { issueCertificate } from '../support/certificates.ts';
import { type HandOver, handOverUntilAccepted } from '../support/intake-session.ts';
import { waitFor } from '../support/mail.ts';
import { createMtaWorld, type MtaWorld } from '../support/mta-process.ts';
import { GARBAGE, type Script } from '../support/scripted-sink.ts';

const OFFER = '250-sink.test\r\n250 STARTTLS';
/** A reply to the EHLO that is yet to come: who keeps it reads every later reply for the one before. */
const INJECTED = '220 2.0.0 Ready\r\n250-sink.test\r\n250 SMTPUTF8';

interface Case {
  what: string;
  domain: string;
  /** To STARTTLS; undefined: it is not offered. */
  reply?: string;
  /** How a delivery ends that nothing is asked of, and one that TLS is required of. */
  expected: [opportunistic: RegExp, required: RegExp];
}

const cases: Case[] = [
  { what: 'no STARTTLS', domain: 'omits.test', expected: [/^delivered$/, /^deferred 451 4\.7\.4 /] },
  {
    what: '454 to STARTTLS',
    domain: 'refuses.test',
    reply: '454 4.7.0 TLS not available',
    expected: [/^delivered$/, /^deferred 451 4\.7\.4 /],
  },
  {
    what: '220, then garbage',
    domain: 'garbage.test',
    reply: GARBAGE,
    expected: [/^delivered$/, /^deferred 451 4\.7\.4 /],
  },
  {
    what: '220 with another reply in the same packet (CVE-2021-38371)',
    domain: 'injected.test',
    reply: INJECTED,
    expected: [/^delivered TLS$/, /^delivered TLS$/],
  },
];

describe('mta and STARTTLS that goes wrong', function () {
  this.timeout(120_000);
  const directory = mkdtempSync(join(tmpdir(), 'postern-test-'));
  const losing = `loses-${randomBytes(4).toString('hex')}.test`;
  const replies = new Map<string, string | undefined>([['127.0.2.100', '220 2.0.0 Ready']]);
  const ehlos = new Map<number, number>();
  let world: MtaWorld;

  /** Under TLS the first EHLO is refused: a client that took the injected reply for its own takes the 502 for that to MAIL. */
  const script: Script = ({ stage, address, connection, isTls }) => {
    const reply = replies.get(address);
    if (stage === 'starttls') return reply;
    if (stage !== 'ehlo') return undefined;
    if (!isTls) return reply === undefined ? undefined : OFFER;
    const count = (ehlos.get(connection) ?? 0) + 1;
    ehlos.set(connection, count);
    return reply === INJECTED && count === 1 ? '502 5.5.1 Say HELO' : undefined;
  };

  before(async () => {
    const certificate = await issueCertificate('mx.injected.test');
    const caFile = join(directory, 'authority.pem');
    writeFileSync(caFile, certificate.cert);
    world = await createMtaWorld('tls', {
      sections: {
        queue: { retryDelaysSeconds: [1], lifetimeSeconds: 3 },
        tlsPolicy: { caFile, memory: 'defer' },
      },
    });
    Object.assign(world.sink, { script, certificate });
    for (const [n, { domain, reply }] of cases.entries()) {
      replies.set(`127.0.2.${n + 1}`, reply);
      world.setAddress(domain, `127.0.2.${n + 1}`);
    }
    world.setAddress(losing, '127.0.2.100');
    await world.mta.start();
  });
  after(async () => {
    await world.close();
    rmSync(directory, { recursive: true });
  });

  async function deliver(domain: string, tls: Pick<HandOver, 'tls'> = {}): Promise<string> {
    const message = world.newMessage({ ...tls });
    const recipient = `r${message.messageId}@${domain}`;
    await handOverUntilAccepted(world.settings, { ...message, to: [recipient] });
    const [event] = await waitFor(`an end at ${domain}`, async () => {
      const events = world.api.eventsOf(message.messageId);
      return events.length > 0 ? events : undefined;
    });
    const arrived = world.sink.arrivals.filter((arrival) => arrival.recipient === recipient);
    assert.equal(arrived.length, event?.type === 'delivered' ? 1 : 0);
    if (event?.type !== 'delivered') return `${event?.type} ${event?.response}`;
    return arrived[0]?.isTls ? 'delivered TLS' : 'delivered';
  }

  for (const { what, domain, expected } of cases) {
    it(`TL-10: ${what}: what nothing is asked of`, async () =>
      assert.match(await deliver(domain), expected[0]));
    it(`TL-11: ${what}: what TLS is required of`, async () =>
      assert.match(await deliver(domain, { tls: 'required' }), expected[1]));
  }

  it('TL-11: what is put off expires with its message, and never leaves', async () => {
    const message = world.newMessage({ to: ['expires@refuses.test'], tls: 'required' });
    await handOverUntilAccepted(world.settings, message);
    await waitFor('its end', async () =>
      world.api.eventsOf(message.messageId).find(({ type }) => type === 'expired'),
    );
    assert.equal(world.sink.copies('expires@refuses.test'), 0);
  });

  it('TL-14: a domain that had TLS and has none is put off', async () => {
    assert.equal(await deliver(losing), 'delivered TLS');
    replies.delete('127.0.2.100');
    world.sink.dropConnections();
    assert.match(await deliver(losing), /^deferred 451 4\.7\.4 The server of the recipient had TLS before/);
  });
});
