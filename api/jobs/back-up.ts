/** Each night a backup, each Sunday its proof (deploy/backup/run.ts). */
import { runProgram } from './run-program.ts';
import type { PeriodicContext } from './scheduled.ts';

const PROGRAM = 'deploy/backup/run.ts';

export const backUp = (context: PeriodicContext) => run('create', context);
export const verifyNewest = (context: PeriodicContext) => run('verify', context);

async function run(action: 'create' | 'verify', context: PeriodicContext): Promise<object | undefined> {
  if (!context.settings.backup.enabled) return undefined;
  return (await runProgram([PROGRAM, action], context)) as object;
}
