/** Each day: renews the certificate of this installation where it ends soon (deploy/certificates/run.ts). */
import { runProgram } from './run-program.ts';
import type { PeriodicContext } from './scheduled.ts';

interface Answer {
  isRenewed: boolean;
  expiresAt: string | null;
  log: string[];
}

export async function renewDaily(context: PeriodicContext): Promise<object | undefined> {
  const { names } = context.settings.certificates;
  if (names.length === 0) return undefined;
  const { isRenewed, expiresAt, log } = (await runProgram(['deploy/certificates/run.ts'], context)) as Answer;
  return isRenewed ? { names, expiresAt, log } : undefined;
}
