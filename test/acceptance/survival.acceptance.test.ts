/**
 * Point 4 of "mail flows" (DU-1 to DU-3, DU-14): any one process is killed with SIGKILL while 200 messages flow. Every
 * message that was accepted is delivered; a copy too many is allowed only where a process died in the middle of it.
 */
import assert from 'node:assert/strict';
import { killMidway } from '../support/kill-midway.ts';
import { newRecipient, openSmtp, readMessage, readQueuedId, send, waitFor } from '../support/mail.ts';
import { findMtaChild, findPid, waitUntilHealthy } from '../support/processes.ts';
import { requireRspamd } from '../support/spam.ts';
import { readStack, type Stack } from '../support/stack.ts';

const MESSAGES = 200;
const SENDERS = 10;
const SUBMIT_DEADLINE_MS = 60_000;
const DELIVERY_DEADLINE_MS = 90_000;

const victims: Record<string, () => Promise<number>> = {
  api: () => findPid('api'),
  worker: () => findPid('worker'),
  gateway: () => findPid('gateway'),
  'mta (master)': () => findPid('mta'),
  'mta (receiver)': () => findMtaChild('receiver'),
  'mta (sender)': () => findMtaChild('sender'),
  redis: () => findPid('redis'),
  postgres: () => findPid('postgres'),
  rspamd: () => findPid('rspamd'),
};

describe('survival', function () {
  this.timeout(SUBMIT_DEADLINE_MS + DELIVERY_DEADLINE_MS + 60_000);
  let stack: Stack;
  before(() => {
    stack = readStack();
  });
  afterEach(waitUntilHealthy);

  for (const [name, findVictim] of Object.entries(victims)) {
    it(`loses nothing when ${name} is killed`, async function () {
      if (name === 'rspamd') requireRspamd(this);
      const domain = `${name.replaceAll(/\W/g, '')}.survival.test`;
      const accepted: number[] = [];
      const smtp = openSmtp(stack);
      const submit = async (number: number) => {
        accepted.push(await submitOne(stack, smtp, domain, number));
      };

      await killMidway(findVictim, { messages: MESSAGES, clients: SENDERS, submit });

      smtp.close();
      assert.equal(accepted.length, MESSAGES);
      await assertAllDelivered(stack, accepted);
      const copies = await countCopies(stack, domain);
      console.log(
        `      ${accepted.length} accepted, ${copies.recipients} reached, ${copies.extra} copies too many`,
      );
      assert.equal(copies.recipients, MESSAGES);
    });
  }
});

/** Half over HTTP, half over SMTP; each message is offered until it is accepted, as a client would. */
async function submitOne(
  stack: Stack,
  smtp: ReturnType<typeof openSmtp>,
  domain: string,
  number: number,
): Promise<number> {
  const to = newRecipient('deliver', domain);
  const subject = `survival ${number}`;
  const offer = async () => {
    if (number % 2 === 0) return send(stack, { to, subject });
    const info = await smtp.sendMail({ from: `s@${stack.domain}`, to, subject, text: 'x' });
    return readQueuedId(info.response);
  };
  return waitFor(`message ${number} to be accepted`, offer, SUBMIT_DEADLINE_MS);
}

async function assertAllDelivered(stack: Stack, ids: number[]): Promise<void> {
  const open = new Set(ids);
  await waitFor(
    `${ids.length} messages to be delivered`,
    async () => {
      for (const id of [...open].slice(0, 20)) {
        if ((await readMessage(stack, id)).status === 'delivered') open.delete(id);
      }
      return open.size === 0 ? true : undefined;
    },
    DELIVERY_DEADLINE_MS,
  ).catch(async (error: unknown) => {
    const [id] = open;
    const example = id === undefined ? '' : JSON.stringify(await readMessage(stack, id), null, 1);
    throw new Error(`${open.size} of ${ids.length} not delivered, among them ${example}`, { cause: error });
  });
}

/** What the recipients' server has. A message that was offered twice went to the same recipient twice. */
async function countCopies(stack: Stack, domain: string): Promise<{ recipients: number; extra: number }> {
  const response = await fetch(`${stack.sandbox.http}/messages`);
  const messages = (await response.json()) as { envelope: { to: string[] } }[];
  const recipients = messages
    .flatMap(({ envelope }) => envelope.to)
    .filter((to) => to.endsWith(`@${domain}`));
  const distinct = new Set(recipients);
  return { recipients: distinct.size, extra: recipients.length - distinct.size };
}
