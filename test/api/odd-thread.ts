/** A thread that does what it is told, also what hostile input would make one do. */
import { serveTasks } from '../../api/serve-tasks.ts';

export type OddTask = 'answer' | 'loop' | 'grow' | 'throw';

serveTasks((task: OddTask): string => {
  if (task === 'throw') throw new Error('thrown in the thread');
  for (const grown: string[][] = []; task !== 'answer'; ) {
    if (task === 'grow') grown.push(Array.from({ length: 10_000 }, (_, index) => `${index}`));
  }
  return 'answered';
});
