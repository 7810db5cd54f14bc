/** Point 5 of "mail flows", and design 9: what happens to mail while a part is down. Nothing ever arrives unsigned. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { createDomain } from '../support/domains.ts';
import {
  listReceived,
  newRecipient,
  openSmtp,
  readQueuedId,
  send,
  waitForReceived,
  waitForStatus,
} from '../support/mail.ts';
import { startProcess, stopProcess, waitUntilHealthy } from '../support/processes.ts';
import { readStack, type Stack } from '../support/stack.ts';

/** Clients of Redis come back within a second of it; only then is a value cached for longer than a moment. */
const RECONNECT_MS = 1_500;

describe('outages', () => {
  let stack: Stack;
  const stopped = new Set<string>();
  before(() => {
    stack = readStack();
  });
  afterEach(async () => {
    for (const name of stopped) await startProcess(name);
    stopped.clear();
    await waitUntilHealthy();
    await sleep(RECONNECT_MS);
  });

  async function stop(name: string): Promise<void> {
    stopped.add(name);
    await stopProcess(name);
  }

  async function start(name: string): Promise<void> {
    stopped.delete(name);
    await startProcess(name);
  }

  it('mail flows, signed, while Redis is stopped', async () => {
    await stop('redis');
    const [byHttp, bySmtp] = [newRecipient(), newRecipient()];
    const smtp = openSmtp(stack);

    const first = await send(stack, { to: byHttp });
    const info = await smtp.sendMail({ from: `s@${stack.domain}`, to: bySmtp, subject: 'x', text: 'x' });
    smtp.close();

    await waitForStatus(stack, first, 'delivered');
    await waitForStatus(stack, readQueuedId(info.response), 'delivered');
    for (const recipient of [byHttp, bySmtp]) {
      assert.equal((await waitForReceived(stack, recipient)).authentication.dkim, 'pass');
    }
  });

  it('mail whose key is cached is sent and signed while the api is stopped', async () => {
    await waitForStatus(stack, await send(stack, { to: newRecipient() }), 'delivered');
    await stop('worker');
    const recipient = newRecipient();
    const id = await send(stack, { to: recipient });
    await stop('api');
    await startWithoutHealth('worker');

    const received = await waitForReceived(stack, recipient);

    assert.equal(received.authentication.dkim, 'pass');
    await start('api');
    await waitForStatus(stack, id, 'delivered'); // the events waited in the outbox
  });

  it('mail whose key is out of reach is deferred, and sent and signed when the api is back', async () => {
    const { domain, token } = await createDomain(stack, `cold-${Date.now()}.test`);
    await stop('worker');
    const recipient = newRecipient();
    const id = await send(stack, { from: `s@${domain}`, to: recipient }, token);
    await stop('api');
    await startWithoutHealth('worker');
    await sleep(3_000);
    assert.deepEqual(await listReceived(stack, recipient), []);

    await start('api');

    const { timeline } = await waitForStatus(stack, id, 'delivered', token);
    const deferred = timeline.find((entry) => entry.event === 'deferred');
    assert.match(String(deferred?.data.response), /^451 4\.3\.0 .*DKIM/);
    assert.equal((await waitForReceived(stack, recipient)).authentication.dkim, 'pass');
  });

  it('the gateway answers 451 4.3.0 while the api is stopped, and takes the message afterwards', async () => {
    await openSmtp(stack).verify(); // the credential is cached now
    await stop('api');
    const recipient = newRecipient();
    const mail = { from: `s@${stack.domain}`, to: recipient, subject: 'x', text: 'x' };
    const smtp = openSmtp(stack);

    await assert.rejects(smtp.sendMail(mail), /451 4\.3\.0/);

    await start('api');
    await smtp.sendMail(mail);
    smtp.close();
    await waitForReceived(stack, recipient);
  });

  /** The worker's own `/health` is enough: the api is meant to be down. */
  async function startWithoutHealth(name: string): Promise<void> {
    stopped.delete(name);
    await startProcess(name, { waitsForHealth: false });
  }
});
