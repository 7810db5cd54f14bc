import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Command } from 'commander';
import { CommandFailure, runCommand, unwrap } from './context.ts';

interface SendOptions {
  from: string;
  to: string[];
  cc?: string[];
  subject?: string;
  text?: string;
  html?: string;
  attach?: string[];
}

export function addSendCommand(program: Command): void {
  program
    .command('send')
    .description('Sends a message over HTTP')
    .requiredOption('--from <address>', "an address of the token's domain, with or without a name")
    .requiredOption('--to <address...>', 'recipients')
    .option('--cc <address...>', 'recipients of a copy')
    .option('--subject <text>')
    .option('--text <text>', 'the body as plain text; - reads it from stdin')
    .option('--html <text>', 'the body as HTML; - reads it from stdin')
    .option('--attach <file...>', 'files to attach')
    .option('--token <token>', "a domain's API token")
    .addHelpText(
      'after',
      `
Examples:
  $ bin/postern send --from hello@demo.postern.test --to you@example.test --subject Hello --text "It works"
  $ bin/postern send --from "Ada <ada@example.com>" --to a@example.test b@example.test --html - < letter.html`,
    )
    .action((options: SendOptions, command: Command) =>
      runCommand(command, async ({ domainApi, print }) => {
        const sent = unwrap(
          await domainApi().sendMessage({
            from: options.from,
            to: options.to.join(', '),
            cc: options.cc?.join(', '),
            subject: options.subject,
            textbody: readBody(options.text),
            htmlbody: readBody(options.html),
            attachments: (options.attach ?? []).map(readAttachment),
          }),
        );
        print(
          sent,
          `Message ${sent.id} is ${sent.status}. bin/postern message show ${sent.id} tells what became of it.`,
        );
      }),
    );
}

function readBody(text: string | undefined): string | undefined {
  return text === '-' ? readFileSync(process.stdin.fd, 'utf8') : text;
}

function readAttachment(file: string): { name: string; content: string } {
  try {
    return { name: basename(file), content: readFileSync(file).toString('base64') };
  } catch (error) {
    throw new CommandFailure(`${file} cannot be read: ${(error as Error).message}`, 'Check --attach.');
  }
}
