/**
 * Plays what becomes of a message of a sandbox token, step by step, a job each. The events are real: timeline, states
 * and webhooks follow from them as always. Block lists stay as they are: they are those of real mail.
 */
import type { Transaction } from '../database.ts';
import { PLAY_SANDBOX } from '../jobs/queues.ts';
import { type Script, scriptOf } from '../mail/sandbox-script.ts';
import { createEventId, type NewEvent, recordEvents } from './event.ts';
import { listRecipients } from './message.ts';
import type { State } from './state.ts';

/** No step takes a recipient on from these: somebody cancelled, or the block list named it. */
const stopped: readonly State[] = ['cancelled', 'suppressed', 'held'];

export interface SandboxStep {
  messageId: number;
  /** 0 is the first. */
  step: number;
}

/** In place of the hand-over to the mta. Its job runs once, or again from the start: nothing is committed in between. */
export async function beginSandbox(tx: Transaction, messageId: number): Promise<void> {
  await tx.query('update messages set handed_over_at = now() where id = $1', [messageId]);
  await tx.enqueue(PLAY_SANDBOX, { messageId, step: 0 });
}

/** A second time it changes nothing: each event has the id of its step. */
export async function playSandbox(tx: Transaction, { messageId, step }: SandboxStep): Promise<void> {
  const message = await tx.query('select from messages where id = $1 and is_sandbox for update', [messageId]);
  if (message.rowCount === 0) return; // purged
  const recipients = await listRecipients(tx, messageId);
  const open = recipients.filter(({ state }) => !stopped.includes(state));
  const scripts = open.map(({ address }) => ({ recipient: address, script: scriptOf(address) }));
  await recordEvents(
    tx,
    scripts.flatMap(({ recipient, script }) => createEvents(messageId, recipient, script, step)),
  );
  const waits = scripts.flatMap(({ script }) => script[step + 1]?.afterSeconds ?? []);
  if (waits.length === 0) return;
  const startAfter = new Date(Date.now() + Math.max(...waits) * 1_000);
  await tx.enqueue(PLAY_SANDBOX, { messageId, step: step + 1 }, { startAfter });
}

function createEvents(messageId: number, recipient: string, script: Script, step: number): NewEvent[] {
  const next = script[step];
  if (!next) return [];
  const { type, data } = next;
  return [
    {
      id: createEventId(type, messageId, `${recipient} ${step}`),
      messageId,
      recipient,
      type,
      occurredAt: new Date().toISOString(),
      data: { ...data, attempt: step + 1, sandbox: true },
    },
  ];
}
