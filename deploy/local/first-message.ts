/** The first message through a new stack: sent over HTTP as a customer would, watched until it is delivered. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createPublicApi, type Message } from '../../bin/public-api.ts';
import { formatMessage } from '../../bin/timeline.ts';
import type { StackDescription } from './demo.ts';
import { StepFailure } from './steps.ts';

const RECIPIENT = 'first@example.test';
const DEADLINE_MS = 60_000;
const POLL_MS = 200;
const ENDINGS = ['bounced', 'expired', 'suppressed', 'cancelled', 'spam'];

/** @returns the message with its timeline; throws StepFailure with the timeline when it is not delivered in time */
export async function sendFirstMessage(stack: StackDescription, signal: AbortSignal): Promise<Message> {
  const api = createPublicApi(stack.api, { token: stack.token });
  const sent = await api.sendMessage({
    from: `Postern <hello@${stack.domain}>`,
    to: RECIPIENT,
    subject: 'The first message',
    textbody: 'If you can read this, everything works: the api, the queue, DKIM and delivery.\n',
  });
  if (!sent.ok) throw new StepFailure(`the api did not take the message: ${sent.reason}`);
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const shown = await api.showMessage(sent.value.id);
    if (shown.ok && shown.value.status === 'delivered') return shown.value;
    if (shown.ok && ENDINGS.includes(shown.value.status)) {
      throw new StepFailure(`the first message was not delivered:\n${formatMessage(shown.value)}`);
    }
    if (Date.now() > deadline) {
      const state = shown.ok ? formatMessage(shown.value) : shown.reason;
      throw new StepFailure(`the first message was not delivered within ${DEADLINE_MS / 1000} s:\n${state}`);
    }
    await sleep(POLL_MS, undefined, { signal });
  }
}
