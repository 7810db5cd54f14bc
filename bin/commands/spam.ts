/** bin/postern spam: messages that are held because of their spam score, for operators. */
import type { Command } from 'commander';
import Type, { type Static } from 'typebox';
import { readId } from '../selection.ts';
import { clean, formatTable } from '../text.ts';
import { runCommand, unwrap } from './context.ts';

const heldSchema = Type.Object({
  id: Type.Integer(),
  organization_id: Type.Integer(),
  domain: Type.String(),
  from: Type.String(),
  subject: Type.Union([Type.String(), Type.Null()]),
  recipients: Type.Integer(),
  score: Type.Number(),
  symbols: Type.Array(Type.Object({ name: Type.String(), score: Type.Number() })),
  created_at: Type.String(),
});
type Held = Static<typeof heldSchema>;

const decidedSchema = Type.Object({ id: Type.Integer(), review: Type.String() });

const NO_LONGER =
  'bin/postern spam list shows what waits for a decision; this one does not, or does not any more.';

export function addSpamCommands(program: Command): void {
  const spam = program
    .command('spam')
    .description('Messages that are held because of their spam score, and what becomes of them')
    .addHelpText(
      'after',
      `
Examples:
  $ bin/postern spam list
  $ bin/postern spam release 4711     it is sent, and rspamd learns it as ham
  $ bin/postern spam refuse 4711      it is spam, and rspamd learns that`,
    );

  withToken(
    spam
      .command('list')
      .description('What waits for a decision, oldest first')
      .option('--after <id>', 'only newer ones than this message', readId, 0),
  ).action(({ after }: { after: number }, command: Command) =>
    runCommand(command, async ({ operatorApi, print }) => {
      const path = `/spam_reviews?limit=200&after=${after}`;
      const held = unwrap(await operatorApi().call(Type.Array(heldSchema), 'GET', path));
      print(held, held.length === 0 ? 'Nothing is held.' : formatHeld(held));
    }),
  );
  addDecision(spam, 'release', 'release', 'Sends it, without another check');
  addDecision(spam, 'refuse', 'refusal', 'Ends it as spam');
}

function addDecision(spam: Command, name: string, path: string, description: string): void {
  withToken(spam.command(name).description(description).argument('<id>', 'of the message', readId)).action(
    (id: number, _options, command: Command) =>
      runCommand(command, async ({ operatorApi, print }) => {
        const answer = await operatorApi().call(decidedSchema, 'POST', `/spam_reviews/${id}/${path}`);
        const decided = unwrap(answer, { 404: NO_LONGER });
        print(decided, `Message ${id} is ${decided.review}.`);
      }),
  );
}

function withToken(command: Command): Command {
  return command.option('--operator-token <token>', "an operator's token");
}

function formatHeld(held: Held[]): string {
  return formatTable(
    ['id', 'since', 'organization', 'from', 'to', 'subject', 'score', 'because of'],
    held.map((one) => [
      String(one.id),
      one.created_at,
      String(one.organization_id),
      one.from,
      `${one.recipients} recipient${one.recipients === 1 ? '' : 's'}`,
      clean(one.subject ?? ''),
      String(one.score),
      one.symbols
        .slice(0, 3)
        .map(({ name }) => name)
        .join(', '),
    ]),
  );
}
