/** bin/down: stops everything of one installation on this machine, and checks that nothing is left. */
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { projectRoot } from './installation.ts';
import { stopStack } from './stack.ts';
import { StepFailure } from './steps.ts';

const { directory } = new Command('bin/down')
  .description('Stops every process that bin/up started, with Postgres, Redis and pm2 itself. Data stays.')
  .option('--directory <path>', 'the installation to stop', join(projectRoot, 'var'))
  .parse()
  .opts<{ directory: string }>();

try {
  const left = await stopStack(resolve(directory));
  if (left.length > 0) throw new StepFailure(`these processes could not be stopped: ${left.join(', ')}`);
  console.log(`Stopped. The data stays in ${resolve(directory)}; bin/up starts it again.`);
} catch (error) {
  if (!(error instanceof StepFailure)) throw error;
  console.error(`bin/down: ${error.message}`);
  process.exitCode = 1;
}
