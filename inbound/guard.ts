/**
 * The one way in which our plugins answer Haraka. A hook answers exactly once, within its deadline. To Haraka a throw
 * is consent, and a rejected promise ends the process: here both are 451 4.3.0.
 */

import { formatReply, type Reply } from '../lib/mail/reply.ts';
import { inboundContext } from './context.ts';
import { type HarakaConnection, type Next, verdicts } from './haraka.ts';
import { replies } from './replies.ts';

/** Under Haraka's own, of 30 s, whose answer is 450 in other words */
export const HOOK_DEADLINE_MS = 25_000;

/** A reply is given to the client; `ok`, or a value, ends the hook well; undefined leaves it to the next plugin. */
export type Answer = Reply | { value: string } | 'ok' | undefined;

export type Hook<Parameters> = (next: Next, connection: HarakaConnection, parameters: Parameters) => void;

const pending = new WeakMap<HarakaConnection, Reply>();

/** The reply that a hook of ours chose and Haraka is about to give in its own words; asked for once. */
export function takePendingReply(connection: HarakaConnection): Reply | undefined {
  const reply = pending.get(connection);
  pending.delete(connection);
  return reply;
}

export function guard<Parameters>(
  name: string,
  body: (connection: HarakaConnection, parameters: Parameters) => Promise<Answer> | Answer,
  deadlineMs = HOOK_DEADLINE_MS,
): Hook<Parameters> {
  return (next, connection, parameters) => {
    let isAnswered = false;
    const answer = (given: Answer) => {
      if (isAnswered) return;
      isAnswered = true;
      clearTimeout(timer);
      tell(next, connection, given);
    };
    const fail = (error: unknown) => {
      inboundContext().log.error({ err: error, hook: name, connection: connection.uuid }, 'hook.failed');
      answer(replies.internalError);
    };
    const timer = setTimeout(() => fail(new Error(`no answer within ${deadlineMs} ms`)), deadlineMs);
    run(body, connection, parameters)
      .then(answer, fail)
      // What Haraka itself throws when it goes on: its connection ends, the others do not.
      .catch((error: unknown) => {
        inboundContext().log.error({ err: error, hook: name }, 'connection.failed');
        connection.client.destroy();
      });
  };
}

async function run<Parameters>(
  body: (connection: HarakaConnection, parameters: Parameters) => Promise<Answer> | Answer,
  connection: HarakaConnection,
  parameters: Parameters,
): Promise<Answer> {
  return body(connection, parameters);
}

function tell(next: Next, connection: HarakaConnection, given: Answer): void {
  if (given === undefined) {
    next();
    return;
  }
  if (given === 'ok') {
    next(verdicts.ok);
    return;
  }
  if ('value' in given) {
    next(verdicts.ok, given.value);
    return;
  }
  pending.set(connection, given);
  next(verdictOf(given), formatReply(given));
}

function verdictOf({ code }: Reply): number {
  if (code < 400) return verdicts.ok;
  if (code === 421) return verdicts.denySoftDisconnect;
  return code < 500 ? verdicts.denySoft : verdicts.deny;
}
