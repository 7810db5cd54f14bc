import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { judgeRecipient } from '../../inbound/reports/judge.ts';
import { readReport } from '../../inbound/reports/read-report.ts';
import type { Report } from '../../inbound/reports/report.ts';
import { classifyReply } from '../../lib/bounces/classify.ts';
import { parseReply } from '../../lib/bounces/reply.ts';
import { loadRules, type RuleFile } from '../../lib/bounces/rules.ts';
import { actions, bounceClasses } from '../../lib/bounces/taxonomy.ts';
import { runCommand } from './context.ts';

interface Options {
  reply?: string;
  mx?: string;
}

export function addBounceCommands(program: Command): void {
  const bounce = program.command('bounce').description('What the refusals of mail servers mean');
  bounce
    .command('explain')
    .description('Says what a reply, or each mail of a file, means, and by which rule of config/bounces')
    .argument('[files...]', 'mails that came back; one JSON line each')
    .option('--reply <text>', 'as the server gave it')
    .option('--mx <host>', 'the server; some providers have rules of their own')
    .addHelpText(
      'after',
      `
Examples:
  $ bin/postern bounce explain --reply '550 5.1.1 User unknown'
  $ bin/postern bounce explain --reply '421 4.7.0 [TSS04] deferred' --mx mta7.am0.yahoodns.net
  $ bin/postern bounce explain returned/*.eml`,
    )
    .action((files: string[], options: Options, command: Command) =>
      runCommand(command, async ({ print }) => {
        const rules = loadRules();
        if (options.reply !== undefined) {
          const explained = explainReply(rules, options.reply, options.mx);
          print(explained.json, explained.text);
        }
        for (const file of files) {
          const line = { file, ...describeReport(rules, await readReport(await readFile(file))) };
          print(line, JSON.stringify(line));
        }
        if (options.reply === undefined && files.length === 0)
          command.error('error: name a file, or give --reply');
      }),
    );
}

function explainReply(
  rules: RuleFile[],
  reply: string,
  mx: string | undefined,
): { json: object; text: string } {
  const { class: name, isHard, action, rule } = classifyReply(rules, parseReply(reply), mx);
  const lines = [
    `class   ${name}: ${bounceClasses[name].meaning}`,
    `        ${isHard ? 'hard: the address is at fault for good' : 'soft'}`,
    `action  ${action}: ${actions[action]}`,
    `rule    ${rule === 'none' ? 'none matched' : `${rule} (config/bounces)`}`,
  ];
  return { json: { class: name, hard: isHard, action, rule }, text: lines.join('\n') };
}

function describeReport(rules: RuleFile[], report: Report): { kind: string; recipients: object[] } {
  if (report.kind === 'complaint') {
    const said = { class: 'complaint', hard: false, status: null, action: 'suppress' };
    return {
      kind: 'complaint',
      recipients: report.recipients.map((recipient) => ({ recipient, ...said })),
    };
  }
  if (report.kind !== 'delivery') {
    return { kind: report.kind === 'automatic-reply' ? 'auto_reply' : 'none', recipients: [] };
  }
  const told = report.recipients.filter(({ outcome }) => outcome !== 'delivered');
  const isBounce = told.some(({ outcome }) => outcome === 'failed');
  const recipients = told.map((recipient) => {
    const verdict = judgeRecipient(rules, recipient);
    const { address, status, outcome } = recipient;
    const isHard = verdict.isHard && outcome === 'failed';
    return {
      recipient: address ?? null,
      class: verdict.class,
      hard: isHard,
      status: status ?? null,
      action: isHard || outcome === 'failed' ? verdict.action : 'retry',
    };
  });
  return { kind: told.length === 0 ? 'none' : isBounce ? 'bounce' : 'delayed', recipients };
}
