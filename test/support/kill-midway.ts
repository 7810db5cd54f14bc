/** A process that is killed with SIGKILL while clients hand mail over, as a crash would. */
import { setTimeout as sleep } from 'node:timers/promises';
import { waitFor } from './mail.ts';
import { waitUntilHealthy } from './processes.ts';

const PAUSE_MS = 20;

export interface Flow {
  messages: number;
  /** At a time */
  clients: number;
  /** Resolves when the message is acknowledged. @param number from 0 */
  submit(number: number): Promise<void>;
}

/** Kills it when a quarter is acknowledged; resolves when all of it is, and every process is well again. */
export async function killMidway(findVictim: () => Promise<number>, flow: Flow): Promise<void> {
  const victim = await findVictim();
  const { messages, clients, submit } = flow;
  let [next, acknowledged] = [0, 0];
  const work = async () => {
    for (let number = next++; number < messages; number = next++) {
      await submit(number);
      acknowledged++;
      await sleep(PAUSE_MS);
    }
  };
  const submitting = Promise.all(Array.from({ length: clients }, work));
  await waitFor('mail to flow', async () => acknowledged > messages / 4 || undefined);

  process.kill(victim, 'SIGKILL');

  await submitting;
  await waitUntilHealthy();
}
