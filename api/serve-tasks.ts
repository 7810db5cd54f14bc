/** The side of a TaskThread that runs in the thread: called once by its file. */
import { parentPort } from 'node:worker_threads';

/** @param perform what it throws goes to whoever gave the task, and ends the thread */
export function serveTasks<Task, Answer>(perform: (task: Task) => Answer | Promise<Answer>): void {
  if (!parentPort) throw new Error('runs in a thread only');
  const port = parentPort;
  port.on('message', async (task: Task) => port.postMessage(await perform(task)));
  port.postMessage('ready');
}
