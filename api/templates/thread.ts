/** What runs in the thread of the renderer: one task at a time, answered by what came of it. */
import { parentPort } from 'node:worker_threads';
import { checkContent, renderContent } from './content.ts';
import type { Answer, Task } from './task.ts';

if (!parentPort) throw new Error('runs in a thread only');
const port = parentPort;

port.on('message', (task: Task) => port.postMessage(answer(task)));
port.postMessage('ready');

function answer(task: Task): Answer {
  if (task.kind === 'render') return renderContent(task.content, task.data);
  const errors = checkContent(task.content);
  return Object.keys(errors).length > 0 ? { ok: false, errors } : { ok: true, content: null };
}
