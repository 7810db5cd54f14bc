/**
 * Who may open a session, counted over all workers by the process that started them: a worker asks it for each
 * connection, with the address that the PROXY protocol gave. What a worker that dies held is given back.
 */
import type { Worker } from 'node:cluster';
import Type from 'typebox';
import Value from 'typebox/value';
import { ClientCounter, type ClientLimits } from '../lib/client-limits.ts';

export type AdmissionAnswer = 'ok' | 'too_many' | 'too_many_of_client' | 'too_fast';

const questionSchema = Type.Union([
  Type.Object({ postern: Type.Literal('enter'), id: Type.Integer(), address: Type.String() }),
  Type.Object({ postern: Type.Literal('leave'), id: Type.Integer() }),
]);
const answerSchema = Type.Object({
  postern: Type.Literal('admission'),
  id: Type.Integer(),
  answer: Type.Enum(['ok', 'too_many', 'too_many_of_client', 'too_fast']),
});

/** In the process that started the workers. */
export class AdmissionDesk {
  readonly #clients: ClientCounter;
  readonly #places = new Map<Worker, Map<number, () => void>>();

  constructor(limits: ClientLimits) {
    this.#clients = new ClientCounter(limits);
  }

  serve(worker: Worker): void {
    const places = new Map<number, () => void>();
    this.#places.set(worker, places);
    worker.on('message', (message: unknown) => {
      if (!Value.Check(questionSchema, message)) return;
      if (message.postern === 'leave') {
        places.get(message.id)?.();
        places.delete(message.id);
        return;
      }
      const admission = this.#clients.enter(message.address);
      if (admission.ok) places.set(message.id, admission.leave);
      const answer: AdmissionAnswer = admission.ok ? 'ok' : admission.reason;
      if (worker.isConnected()) worker.send({ postern: 'admission', id: message.id, answer });
    });
  }

  forget(worker: Worker): void {
    for (const leave of this.#places.get(worker)?.values() ?? []) leave();
    this.#places.delete(worker);
  }
}

/** In a worker. */
export interface Admissions {
  enter(address: string): Promise<{ answer: AdmissionAnswer; leave(): void }>;
}

export function createAdmissions(): Admissions {
  const waiting = new Map<number, (answer: AdmissionAnswer) => void>();
  let lastId = 0;
  process.on('message', (message: unknown) => {
    if (!Value.Check(answerSchema, message)) return;
    waiting.get(message.id)?.(message.answer);
    waiting.delete(message.id);
  });
  return {
    enter(address) {
      lastId += 1;
      const id = lastId;
      const leave = () => void (process.connected && process.send?.({ postern: 'leave', id }));
      return new Promise((resolve) => {
        waiting.set(id, (answer) => resolve({ answer, leave }));
        process.send?.({ postern: 'enter', id, address });
      });
    },
  };
}
