/** TLS to MX hosts through the running stack, at domains of the sandbox that do it in every way (TL-10 to TL-13). */
import assert from 'node:assert/strict';
import { listReceived, newRecipient, readMessage, send, waitFor, waitForReceived } from '../support/mail.ts';
import { runPostern } from '../support/postern.ts';
import { readStack, type Stack } from '../support/stack.ts';

const noTls = /^deferred 451 4\.7\.4 TLS is required/;
const badCertificate = /^deferred 451 4\.7\.5 TLS is required, and the certificate/;
const overTls = /^delivered TLSv1\.3$/;
const inPlaintext = /^delivered$/;

/** Nothing is asked: what the domain offers, and else plaintext. */
const opportunistic: [domain: string, outcome: RegExp][] = [
  ['ordinary.test', overTls],
  ['no-tls.test', inPlaintext],
  ['tls-broken.test', inPlaintext],
  ['old-tls.test', inPlaintext],
  ['self-signed.test', overTls],
  ['expired-certificate.test', overTls],
  ['wrong-certificate.test', overTls],
];

const required: typeof opportunistic = [
  ['ordinary.test', overTls],
  ['no-tls.test', noTls],
  ['tls-broken.test', noTls],
  ['old-tls.test', noTls],
  ['self-signed.test', badCertificate],
  ['expired-certificate.test', badCertificate],
  ['wrong-certificate.test', badCertificate],
];

const mtaSts: typeof opportunistic = [
  ['mta-sts-enforce.test', overTls],
  ['fallback.mta-sts-enforce.test', overTls],
  ['no-tls.mta-sts-enforce.test', noTls],
  ['tls-broken.mta-sts-enforce.test', noTls],
  ['self-signed.mta-sts-enforce.test', badCertificate],
  ['wrong-certificate.mta-sts-enforce.test', badCertificate],
  ['mta-sts-foreign.test', /^deferred 451 4\.7\.5 No MX host of the domain is in its MTA-STS policy$/],
  ['mta-sts-testing.test', overTls],
  ['no-tls.mta-sts-testing.test', inPlaintext],
  ['mta-sts-redirect.test', overTls],
];

const dane: typeof opportunistic = [
  ['dane.test', overTls],
  ['no-tls.dane.test', noTls],
  ['dane-mismatch.test', /^deferred 451 4\.7\.5 The certificate is not that of the TLSA records$/],
  ['dane-failed.test', /^deferred 451 4\.7\.5 The TLSA records of the MX host cannot be validated$/],
  ['mta-sts-foreign.dane.test', /^deferred 451 4\.7\.5 No MX host/],
];

describe('TLS to the recipient', () => {
  const outcomes = new Map<string, Promise<string>>();
  let stack: Stack;

  before(() => {
    stack = readStack();
    for (const [domain] of [...opportunistic, ...mtaSts, ...dane]) outcomes.set(domain, deliver(domain));
    for (const [domain] of required) outcomes.set(`required ${domain}`, deliver(domain, { tls: 'required' }));
    outcomes.set('required dane.test', deliver('dane.test', { tls: 'required' }));
    for (const outcome of outcomes.values()) outcome.catch(() => {}); // each test says it
  });

  /** What becomes of a message at its first attempt, and over which TLS. */
  async function deliver(domain: string, fields: { tls?: string } = {}): Promise<string> {
    const recipient = newRecipient('deliver', domain);
    const id = await send(stack, { to: recipient, ...fields });
    const { status, response } = await waitFor(`an attempt at ${domain}`, async () => {
      const [found] = (await readMessage(stack, id)).recipients;
      return found && found.attempts > 0 && found.status !== 'sending' ? found : undefined;
    });
    const [received] = await listReceived(stack, recipient);
    assert.equal(received !== undefined, status === 'delivered');
    if (!received) return `${status} ${response}`;
    return received.tls ? `${status} ${received.tls.version}` : status;
  }

  const outcomeOf = async (name: string) => (await outcomes.get(name)) ?? '';

  for (const [domain, outcome] of opportunistic) {
    it(`TL-10: nothing is asked at ${domain}`, async () => assert.match(await outcomeOf(domain), outcome));
  }
  for (const [domain, outcome] of required) {
    it(`TL-11: TLS is required at ${domain}`, async () =>
      assert.match(await outcomeOf(`required ${domain}`), outcome));
  }
  for (const [domain, outcome] of mtaSts) {
    it(`TL-12: MTA-STS of ${domain}`, async () => assert.match(await outcomeOf(domain), outcome));
  }
  for (const [domain, outcome] of dane) {
    it(`TL-13: DANE of ${domain}`, async () => assert.match(await outcomeOf(domain), outcome));
  }
  it('TL-12: a domain is told daily what came of TLS, by mail and HTTPS, also where its TLS fails', async () => {
    const domain = 'tls-reports.no-tls.mta-sts-enforce.test';
    assert.match(await deliver(domain), noTls);
    const day = new Date().toISOString().slice(0, 10);

    const { stdout, stderr } = await runPostern('tls-reports', '--day', day);

    assert.match(
      stdout + stderr,
      new RegExp(`^${domain}\n  mailto:tls-reports@${domain}: sent\n  https:.*: sent$`, 'm'),
    );
    const [posted] = await listTlsReports(stack, domain);
    assert.equal(posted?.['organization-name'], 'Postern');
    const [policy] = posted?.policies ?? [];
    assert.deepEqual(policy?.policy['policy-type'], 'sts');
    assert.equal(policy?.summary['total-successful-session-count'], 0);
    assert.ok(Number(policy?.summary['total-failure-session-count']) >= 1); // it is tried again meanwhile
    // In plaintext, although the policy enforces TLS (RFC 8460 5.3)
    const mail = await waitForReceived(stack, `tls-reports@${domain}`);
    assert.deepEqual([mail.tls, mail.authentication.dkim], [null, 'pass']);
  });
  it('TL-13: TLSA records stand for the authorities where TLS is required', async () =>
    assert.match(await outcomeOf('required dane.test'), overTls));
});

/** What the domain's policy host was sent (RFC 8460 4.4). */
async function listTlsReports(stack: Stack, domain: string) {
  const response = await fetch(`${stack.sandbox.http}/tls-reports?domain=${domain}`);
  return (await response.json()) as {
    'organization-name': string;
    policies: { policy: Record<string, unknown>; summary: Record<string, number> }[];
  }[];
}
