/** Takes in one message: up to its last byte whatever is wrong with it, so that the next command is a command. */
import type { Readable } from 'node:stream';
import type { Reply } from '../lib/mail/reply.ts';
import type { MemoryBudget } from '../lib/memory-budget.ts';
import { GrowingBuffer } from './growing-buffer.ts';
import { replies } from './replies.ts';
import { WireCheck } from './wire-check.ts';

export interface ReceiveLimits {
  maxMessageBytes: number;
  budget: MemoryBudget;
}

export type Received =
  | {
      ok: true;
      message: Buffer;
      /** Gives the message's memory back to the budget; to be called once it is handed on. */
      release(): void;
    }
  | { ok: false; reply: Reply };

/** Rejects when the client leaves before the end. */
export async function receiveMessage(stream: Readable, limits: ReceiveLimits): Promise<Received> {
  const { maxMessageBytes, budget } = limits;
  const check = new WireCheck();
  const message = new GrowingBuffer();
  let bytes = 0;
  let refusal: Reply | undefined;

  const drop = () => {
    budget.giveBack(message.length);
    message.clear();
  };
  const keep = (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > maxMessageBytes) refusal = replies.messageTooLarge;
    else if (!refusal && !budget.take(chunk.length)) refusal = replies.memoryFull;
    if (refusal) {
      drop();
      return;
    }
    check.push(chunk);
    message.append(chunk);
  };

  try {
    for await (const chunk of stream) keep(chunk);
  } catch (error) {
    drop();
    throw error;
  }
  const fault = check.end();
  if (!refusal && fault) refusal = replies[fault];
  if (refusal) {
    drop();
    return { ok: false, reply: refusal };
  }
  return { ok: true, message: message.bytes(), release: drop };
}
