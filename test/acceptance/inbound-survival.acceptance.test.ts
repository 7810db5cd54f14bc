/**
 * Any one process is killed with SIGKILL while mail comes in (DU-1 to DU-3). What was acknowledged is announced to the
 * endpoint; nothing is announced twice: after a crash the endpoint may get the same webhook-id again, never another one
 * for the same message. A client that got no 250 sends the same bytes again, as mail servers do.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createTransport } from 'nodemailer';
import { killMidway } from '../support/kill-midway.ts';
import { waitFor } from '../support/mail.ts';
import { findChildOf, findPid, waitUntilHealthy } from '../support/processes.ts';
import { requestRaw } from '../support/raw-request.ts';
import { readStack, type Stack } from '../support/stack.ts';
import { startWebhookEndpoint, type WebhookEndpoint } from '../support/webhook-endpoint.ts';

const MESSAGES = 40;
const CLIENTS = 5;
const RETRY_MS = 400;
const SUBMIT_DEADLINE_MS = 120_000;
/** Longer than the claim of a worker that died */
const ANNOUNCE_DEADLINE_MS = 60_000;

/** The worker first: what it had in hand waits for the end of its claim while the others are killed. */
const victims: Record<string, () => Promise<number>> = {
  worker: () => findPid('worker'),
  'inbound (worker)': async () => findChildOf(await findPid('inbound'), 'inbound/worker.ts'),
  'inbound (master)': () => findPid('inbound'),
  api: () => findPid('api'),
  postgres: () => findPid('postgres'),
  redis: () => findPid('redis'),
};

describe('survival of mail that comes in', function () {
  this.timeout(SUBMIT_DEADLINE_MS + ANNOUNCE_DEADLINE_MS + 60_000);
  let stack: Stack;
  let endpoint: WebhookEndpoint;
  const address = {
    local: `crash-${randomBytes(4).toString('hex')}`,
    of: () => `${address.local}@${stack.domain}`,
  };
  const acknowledged: string[] = [];
  before(async () => {
    stack = readStack();
    endpoint = await startWebhookEndpoint();
    const route = await requestRaw({
      method: 'POST',
      url: `${stack.api}/api/v1/inbound_routes`,
      headers: {
        Accept: 'application/json',
        'Content-Type': 'application/json',
        'MailPace-Server-Token': stack.token,
      },
      body: { address: address.of(), target: 'http', url: endpoint.url },
    });
    assert.equal(route.status, 201, JSON.stringify(route.body));
  });
  after(async () => {
    await waitUntilHealthy();
    await endpoint.close();
  });

  for (const [name, findVictim] of Object.entries(victims)) {
    it(`acknowledges everything in the end when ${name} is killed`, async () => {
      const submit = (number: number) => acknowledge(`${name} ${number}`);

      await killMidway(findVictim, { messages: MESSAGES, clients: CLIENTS, submit });

      const mine = acknowledged.filter((subject) => subject.startsWith(`${name} `));
      assert.equal(mine.length, MESSAGES);
    });
  }

  it('has announced all of it by one webhook each', async () => {
    const idsBySubject = () => {
      const ids = new Map<string, Set<string>>();
      for (const { headers, raw } of endpoint.received) {
        const { subject } = JSON.parse(raw.toString()) as { subject: string };
        ids.set(subject, (ids.get(subject) ?? new Set()).add(String(headers['webhook-id'])));
      }
      return ids;
    };
    await waitFor(
      `${acknowledged.length} messages to be announced`,
      async () => {
        const missing = acknowledged.filter((subject) => !idsBySubject().has(subject));
        if (missing.length > 0) throw new Error(`not announced: ${missing.join(', ')}`);
        return true;
      },
      ANNOUNCE_DEADLINE_MS,
    );
    const twice = [...idsBySubject()].filter(([, ids]) => ids.size > 1).map(([subject]) => subject);
    console.log(`      ${acknowledged.length} acknowledged, ${endpoint.received.length} posts`);
    assert.deepEqual(twice, []);
  });

  /** Offers the same bytes until there is a 250. */
  async function acknowledge(subject: string): Promise<void> {
    const raw = `From: bob@outside.test\r\nTo: ${address.of()}\r\nSubject: ${subject}\r\n\r\nx\r\n`;
    const deadline = Date.now() + SUBMIT_DEADLINE_MS;
    for (;;) {
      const failure = await offer(raw);
      if (!failure) return void acknowledged.push(subject);
      if (Date.now() > deadline) throw failure;
      assert.doesNotMatch(failure.message, /^.*\b5\d\d 5\./, 'a refusal for good');
      await sleep(RETRY_MS);
    }
  }

  async function offer(raw: string): Promise<Error | undefined> {
    const { host, port } = stack.inbound;
    const transport = createTransport({ host, port, ignoreTLS: true, socketTimeout: 20_000 });
    try {
      await transport.sendMail({ envelope: { from: 'bob@outside.test', to: address.of() }, raw });
      return undefined;
    } catch (error) {
      return error as Error;
    } finally {
      transport.close();
    }
  }
});
