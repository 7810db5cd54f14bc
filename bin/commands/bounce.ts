import type { Command } from 'commander';
import { classifyReply } from '../../lib/bounces/classify.ts';
import { parseReply } from '../../lib/bounces/reply.ts';
import { loadRules } from '../../lib/bounces/rules.ts';
import { actions, bounceClasses } from '../../lib/bounces/taxonomy.ts';
import { runCommand } from './context.ts';

export function addBounceCommands(program: Command): void {
  const bounce = program.command('bounce').description('What the refusals of mail servers mean');
  bounce
    .command('explain')
    .description('Says what a reply means, and by which rule of config/bounces')
    .requiredOption('--reply <text>', 'as the server gave it')
    .option('--mx <host>', 'the server; some providers have rules of their own')
    .addHelpText(
      'after',
      `
Examples:
  $ bin/postern bounce explain --reply '550 5.1.1 User unknown'
  $ bin/postern bounce explain --reply '421 4.7.0 [TSS04] deferred' --mx mta7.am0.yahoodns.net`,
    )
    .action((options: { reply: string; mx?: string }, command: Command) =>
      runCommand(command, ({ print }) => {
        const verdict = classifyReply(loadRules(), parseReply(options.reply), options.mx);
        const { class: name, isHard, action, rule } = verdict;
        print(
          { class: name, hard: isHard, action, rule },
          [
            `class   ${name}: ${bounceClasses[name].meaning}`,
            `        ${isHard ? 'hard: the address is at fault for good' : 'soft'}`,
            `action  ${action}: ${actions[action]}`,
            `rule    ${rule === 'none' ? 'none matched' : `${rule} (config/bounces)`}`,
          ].join('\n'),
        );
      }),
    );
}
