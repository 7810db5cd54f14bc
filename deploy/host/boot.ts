/**
 * `node deploy/host/boot.ts`, on a host, by systemd: starts pm2 with the processes of the host's roles from the release
 * that it lies in, after orphans of a daemon that was killed are gone. With --stop it ends them, each in order.
 */
import { openPm2 } from '../local/pm2.ts';
import { findOwnProcesses, terminateProcesses } from '../local/processes.ts';
import { stopStack } from '../local/stack.ts';
import { StepFailure } from '../local/steps.ts';
import { answer, hostProgram, readHostRun } from './host.ts';

const program = hostProgram('boot').option('--stop', 'end everything').parse();
const run = readHostRun(program);
const { directory } = run.installation;

await answer(async () => {
  if (program.opts<{ stop?: boolean }>().stop) {
    const left = await stopStack(directory);
    if (left.length > 0) throw new StepFailure(`these could not be stopped: ${left.join(', ')}`);
    return 'stopped';
  }
  const pm2 = openPm2(run.installation);
  if (!pm2.isRunning()) await terminateProcesses(findOwnProcesses(directory));
  await pm2.start(run.roles);
  return `started ${run.roles.join(', ')}`;
});
