/** The operator's console (api/console.ts), asked as the API is: with a schema, and failures in words. */
import type { Static, TSchema } from 'typebox';
import Value from 'typebox/value';
import { runProgram } from '../deploy/local/programs.ts';
import { StepFailure } from '../deploy/local/steps.ts';
import { CommandFailure } from './commands/context.ts';

/** @param advice what to do when it fails @throws CommandFailure */
export async function askConsole<Schema extends TSchema>(
  directory: string,
  parameters: string[],
  schema: Schema,
  advice: string,
): Promise<Static<Schema>> {
  try {
    const program = ['api/console.ts', ...parameters];
    return Value.Parse(
      schema,
      JSON.parse(await runProgram(directory, program, new AbortController().signal)),
    );
  } catch (error) {
    if (error instanceof StepFailure) throw new CommandFailure(error.message, advice);
    throw error;
  }
}
