/** bin/postern postmaster: mail to postmaster and abuse, for operators. */
import { type Command, Option } from 'commander';
import Type, { type Static } from 'typebox';
import { nullable } from '../nullable.ts';
import { readId } from '../selection.ts';
import { cleanLines, formatTable } from '../text.ts';
import { runCommand, unwrap } from './context.ts';

const messageSchema = Type.Object({
  id: Type.Integer(),
  purpose: Type.String(),
  envelope: Type.Object({ from: Type.String(), to: Type.String() }),
  subject: nullable(Type.String()),
  seen_at: nullable(Type.String()),
  created_at: Type.String(),
});
const pageSchema = Type.Object({ operator_messages: Type.Array(messageSchema) });

const PATH = '/operator_messages';

export function addPostmasterCommands(program: Command): void {
  const postmaster = program
    .command('postmaster')
    .description('Mail to postmaster and abuse of all names that receive')
    .addHelpText(
      'after',
      `
Examples:
  $ bin/postern postmaster list
  $ bin/postern postmaster show 12 > complaint.eml
  $ bin/postern postmaster seen 12`,
    );
  command(postmaster, 'list', 'What nobody has dealt with yet, the latest first')
    .option('--all', 'with what was seen')
    .addOption(new Option('--purpose <name>', 'one of the two').choices(['postmaster', 'abuse']))
    .action(({ all, purpose }: { all?: true; purpose?: string }, self: Command) =>
      runCommand(self, async ({ operatorApi, print }) => {
        const query = new URLSearchParams({
          limit: '200',
          ...(!all && { seen: 'false' }),
          ...(purpose && { purpose }),
        });
        const page = unwrap(await operatorApi().call(pageSchema, 'GET', `${PATH}?${query}`));
        print(page.operator_messages, formatMessages(page.operator_messages));
      }),
    );
  command(postmaster, 'show', 'The message as it came')
    .argument('<id>', 'of the message', readId)
    .action((id: number, _options: object, self: Command) =>
      runCommand(self, async ({ operatorApi, print }) => {
        const source = unwrap(await operatorApi().download(`${PATH}/${id}/source`, 'message/rfc822'));
        const chunks: Buffer[] = [];
        for await (const chunk of source) chunks.push(Buffer.from(chunk));
        const content = Buffer.concat(chunks);
        const isFile = !process.stdout.isTTY && !self.optsWithGlobals().json;
        if (isFile) process.stdout.write(content);
        else print({ id, source: content.toString() }, cleanLines(content.toString()));
      }),
    );
  for (const [name, method, description] of [
    ['seen', 'PUT', 'Marks it as dealt with'],
    ['reopen', 'DELETE', 'Marks it as not dealt with'],
  ] as const) {
    command(postmaster, name, description)
      .argument('<id>', 'of the message', readId)
      .action((id: number, _options: object, self: Command) =>
        runCommand(self, async ({ operatorApi, print }) => {
          const marked = unwrap(await operatorApi().call(messageSchema, method, `${PATH}/${id}/seen`));
          print(marked, `Message ${id} is ${marked.seen_at ? 'seen' : 'open'}.`);
        }),
      );
  }
}

function command(parent: Command, name: string, description: string): Command {
  return parent
    .command(name)
    .description(description)
    .option('--operator-token <token>', 'an API token of operators');
}

function formatMessages(messages: readonly Static<typeof messageSchema>[]): string {
  if (messages.length === 0) return 'No messages.';
  return formatTable(
    ['id', 'to', 'from', 'subject', 'at', 'seen'],
    messages.map(({ id, envelope, subject, created_at, seen_at }) => [
      ...[String(id), envelope.to, envelope.from, subject ?? ''],
      ...[created_at, seen_at ?? ''],
    ]),
  );
}
