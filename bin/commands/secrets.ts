import type { Command } from 'commander';
import Type, { type Static } from 'typebox';
import { askConsole } from '../console.ts';
import { runCommand } from './context.ts';

const columnSchema = Type.Object({
  column: Type.String(),
  resealed: Type.Integer(),
  unchanged: Type.Integer(),
  unreadable: Type.Array(Type.Integer()),
});
const resultSchema = Type.Object({ columns: Type.Array(columnSchema) });

export function addSecretsCommands(program: Command): void {
  const secrets = program
    .command('secrets')
    .description('The keys that secrets in the database are sealed with');
  secrets
    .command('rotate')
    .description(
      'Seals everything anew with the first key of POSTERN_SECRET_KEY. May be stopped, and run again.',
    )
    .addHelpText(
      'after',
      '\nBefore: POSTERN_SECRET_KEY=<new>,<old> on all machines, and all processes restarted. docs/secrets.md has the steps.',
    )
    .action((_options, command: Command) =>
      runCommand(command, async ({ directory, print }) => {
        const { columns } = await askConsole(
          directory,
          ['reseal'],
          resultSchema,
          'What was sealed anew stays so; run it again when the cause is gone.',
        );
        print(columns, columns.map(format).join('\n'));
        if (columns.some(({ unreadable }) => unreadable.length > 0)) process.exitCode = 1;
      }),
    );
}

function format({ column, resealed, unchanged, unreadable }: Static<typeof columnSchema>): string {
  const line = `${column}: ${resealed} sealed anew, ${unchanged} were already`;
  return unreadable.length > 0 ? `${line}; NEITHER KEY OPENS ${unreadable.join(', ')}` : line;
}
