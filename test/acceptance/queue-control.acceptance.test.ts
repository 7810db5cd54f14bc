/** Every verb of bin/postern queue on a live queue, with its dry run, and the audit of it; and the doctor. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  listReceived,
  newRecipient,
  send,
  waitFor,
  waitForReceived,
  waitForStatus,
} from '../support/mail.ts';
import { postern, posternJson, runPostern } from '../support/postern.ts';
import { readStack, type Stack } from '../support/stack.ts';

/** Other tests leave held mail behind, and domains and addresses that the DNS does not know, on purpose. */
const LEFT_BEHIND = /^(held deliveries|parked events|oldest due delivery|zones|DKIM records|[\d.]+ .*)$/;

interface Outcome {
  actionId: number | null;
  affected: number;
  inAttempt: number;
  pause?: { id: number };
}

interface Delivery {
  queueId: string;
  sequence: string;
  recipient: string;
  state: string;
}

describe('bin/postern queue', () => {
  let stack: Stack;
  const domain = `paused-${Math.random().toString(36).slice(2, 10)}.test`;
  const actions: number[] = [];
  before(() => {
    stack = readStack();
  });

  async function act(...parameters: string[]): Promise<Outcome> {
    const outcome = await posternJson<Outcome>('queue', ...parameters);
    if (outcome.actionId !== null) actions.push(outcome.actionId);
    return outcome;
  }

  /** What waits for the recipient, once it does. */
  const waiting = (recipient: string, state: string) =>
    waitFor(`${recipient} to be ${state}`, async () => {
      const found = await posternJson<Delivery[]>('queue', 'list', '--recipient', recipient);
      return found.find((delivery) => delivery.state === state);
    });

  it('pauses a domain: its mail waits, other mail goes; resumes, and it arrives', async () => {
    const paused = await act('pause', '--domain', domain, '--reason', 'acceptance', '--until', '10m');
    const [recipient, other] = [newRecipient('deliver', domain), newRecipient()];
    const id = await send(stack, { to: recipient });
    await send(stack, { to: other });

    await waitForReceived(stack, other);
    const delivery = await waiting(recipient, 'paused');
    await sleep(1_000);
    assert.deepEqual(await listReceived(stack, recipient), []);
    const shown = await postern('queue', 'show', `${delivery.queueId}.${delivery.sequence}`);
    assert.match(shown, new RegExp(`pause +${paused.pause?.id}`));

    const counted = await act('resume', String(paused.pause?.id), '--dry-run');
    const resumed = await act('resume', String(paused.pause?.id));

    assert.deepEqual([counted.affected, resumed.affected], [1, 1]);
    await waitForReceived(stack, recipient);
    await waitForStatus(stack, id, 'delivered');
  });

  it('cancels and bounces what waits, and the timelines say so', async () => {
    const { pause } = await act('pause', '--domain', domain, '--reason', 'acceptance');
    const [cancelled, bounced] = [newRecipient('c', domain), newRecipient('b', domain)];
    const cancelledId = await send(stack, { to: cancelled });
    const bouncedId = await send(stack, { to: bounced });
    await Promise.all([waiting(cancelled, 'paused'), waiting(bounced, 'paused')]);

    const counted = await act('cancel', '--message', String(cancelledId), '--reason', 'x', '--dry-run');
    assert.deepEqual([counted.affected, counted.actionId], [1, null]);
    await act('cancel', '--message', String(cancelledId), '--reason', 'sent by mistake');
    await act('bounce', '--recipient', bounced, '--reason', '550 5.1.1 no such user');

    const { timeline } = await waitForStatus(stack, cancelledId, 'cancelled');
    assert.equal(timeline.at(-1)?.data.response, 'sent by mistake');
    await waitForStatus(stack, bouncedId, 'bounced');
    await act('resume', String(pause?.id));
    assert.deepEqual(await listReceived(stack, cancelled), []);
  });

  it('flushes what was deferred, moves what is to go elsewhere, adopts what a dead instance had', async () => {
    const recipient = newRecipient('defer', domain);
    await send(stack, { to: recipient });
    await waiting(recipient, 'deferred');

    const flushed = await act('flush', '--recipient', recipient, '--dry-run');
    assert.equal(flushed.affected, 1);
    await act('flush', '--recipient', recipient);
    const moved = await act('move', '--recipient', recipient, '--to', 'default');
    assert.equal(moved.affected, 0); // it is there already
    await assert.rejects(
      postern('queue', 'move', '--recipient', recipient, '--to', 'nowhere'),
      /no such zone/,
    );
    assert.equal((await act('adopt', 'never-was-there')).affected, 0);
    const { instanceId } = await posternJson<{ instanceId: string }>('config', 'check');
    await assert.rejects(postern('queue', 'adopt', instanceId), /alive/);

    await waitFor('the last of it', async () => {
      const { affected } = await act('cancel', '--recipient', recipient, '--reason', 'acceptance');
      return affected === 1 ? true : undefined;
    });
  });

  it('sets limits and takes them back', async () => {
    await postern('queue', 'limits', 'set', domain, '--connections', '1', '--rate', '5');
    assert.match(await postern('queue', 'limits'), new RegExp(`${domain} +1 +5`));
    await postern('queue', 'limits', 'remove', domain);
    assert.doesNotMatch(await postern('queue', 'limits'), new RegExp(domain));
  });

  it('has written every action to the audit, with who did it', async () => {
    const audit = await posternJson<{ id: number; verb: string; actor: string; finishedAt: string | null }[]>(
      ...['queue', 'actions', '--limit', '200'],
    );

    const own = audit.filter(({ id }) => actions.includes(id));
    assert.equal(own.length, new Set(actions).size);
    assert.deepEqual(
      new Set(own.map(({ verb }) => verb)),
      new Set(['pause', 'resume', 'cancel', 'bounce', 'flush', 'move', 'adopt']),
    );
    assert.ok(own.every(({ actor, finishedAt }) => actor.includes('@') && finishedAt));
  });

  it('adds up: the doctor finds the counters and the servers well', async () => {
    const { stdout } = await runPostern('--json', 'doctor');

    const findings = JSON.parse(stdout) as { check: string; isWell: boolean; detail: string }[];
    const wrong = findings.filter(({ check, isWell }) => !isWell && !LEFT_BEHIND.test(check));
    assert.deepEqual(wrong, []);
  });
});
