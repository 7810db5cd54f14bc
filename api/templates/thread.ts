/** What runs in the thread of the renderer: one task at a time, answered by what came of it. */
import { serveTasks } from '../serve-tasks.ts';
import { checkContent, renderContent } from './content.ts';
import type { Answer, Task } from './task.ts';

serveTasks((task: Task): Answer => {
  if (task.kind === 'render') return renderContent(task.content, task.data);
  const errors = checkContent(task.content);
  return Object.keys(errors).length > 0 ? { ok: false, errors } : { ok: true, content: null };
});
