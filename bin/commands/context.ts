/** What the commands have in common: where the installation is, with which token to ask, and how to answer. */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import Type, { type Static } from 'typebox';
import Value from 'typebox/value';
import { readSettings } from '../../config/load.ts';
import type { Settings } from '../../config/schema.ts';
import { locateInstallation } from '../../deploy/local/installation.ts';
import { type ApiResult, createPublicApi, type PublicApi } from '../public-api.ts';
import { cleanLines } from '../text.ts';

const DEFAULT_API = 'http://127.0.0.1:3000';

interface GlobalOptions {
  directory: string;
  api?: string;
  json?: boolean;
  token?: string;
  organizationToken?: string;
  operatorToken?: string;
}

/** Shown without a stack; `hint` says what to do next. */
export class CommandFailure extends Error {
  hint: string;
  exitCode: number;

  constructor(message: string, hint: string, exitCode = 1) {
    super(message);
    this.hint = hint;
    this.exitCode = exitCode;
  }
}

export interface CommandContext {
  directory: string;
  settings(): Settings;
  /** Asks with a domain's token. */
  domainApi(): PublicApi;
  /** Asks with an organization's token. */
  organizationApi(): PublicApi;
  /** Asks with an operator's token. */
  operatorApi(): PublicApi;
  /** Text for people, or with --json the value. */
  print(value: unknown, text: string): void;
}

/** Runs the action of a command; its CommandFailure becomes a message and an exit code. */
export async function runCommand(
  command: Command,
  action: (context: CommandContext) => Promise<void> | void,
): Promise<void> {
  const options = command.optsWithGlobals<GlobalOptions>();
  try {
    await action(createContext(options));
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    if (options.json) console.log(JSON.stringify({ error: error.message, hint: error.hint }));
    else console.error(`postern: ${cleanLines(error.message)}\n${error.hint}`);
    process.exitCode = error.exitCode;
  }
}

/** The value, or a CommandFailure with what to do about the refusal. @param hints by HTTP status; 0: no answer */
export function unwrap<T>(result: ApiResult<T>, hints: Readonly<Record<number, string>> = {}): T {
  if (result.ok) return result.value;
  throw new CommandFailure(result.reason, hints[result.code] ?? adviseOn(result.code, result.reason));
}

function createContext(options: GlobalOptions): CommandContext {
  const directory = resolve(options.directory);
  const read = () => readSettings({ ...process.env, POSTERN_DIRECTORY: directory });
  const apiUrl = () => {
    const result = options.api ? undefined : read();
    return options.api ?? (result?.ok ? result.settings.api.url : DEFAULT_API);
  };
  return {
    directory,
    settings() {
      const result = read();
      if (result.ok) return result.settings;
      throw new CommandFailure(
        ['the configuration has problems:', ...result.problems].join('\n  - '),
        `Correct them in ${directory}/postern.toml or postern.env; docs/settings.md lists every setting.`,
        78,
      );
    },
    domainApi() {
      const token = options.token ?? process.env.POSTERN_TOKEN ?? readDemo(directory).token;
      return createPublicApi(apiUrl(), { token: require(token, '--token', 'POSTERN_TOKEN') });
    },
    organizationApi() {
      const token =
        options.organizationToken ??
        process.env.POSTERN_ORGANIZATION_TOKEN ??
        readDemo(directory).organizationToken;
      const organizationToken = require(token, '--organization-token', 'POSTERN_ORGANIZATION_TOKEN');
      return createPublicApi(apiUrl(), { organizationToken });
    },
    operatorApi() {
      const token =
        options.operatorToken ?? process.env.POSTERN_OPERATOR_TOKEN ?? readDemo(directory).operatorToken;
      const operatorToken = require(token, '--operator-token', 'POSTERN_OPERATOR_TOKEN');
      return createPublicApi(apiUrl(), { operatorToken });
    },
    print(value, text) {
      console.log(options.json ? JSON.stringify(value) : text);
    },
  };
}

function require(token: string | undefined, option: string, variable: string): string {
  if (token) return token;
  throw new CommandFailure(
    'there is no token to ask with',
    `Give one by ${option} or ${variable}, or run bin/up, which makes a demo token.`,
  );
}

const demoSchema = Type.Object({
  token: Type.String(),
  organizationToken: Type.String(),
  operatorToken: Type.Optional(Type.String()),
});

function readDemo(directory: string): Partial<Static<typeof demoSchema>> {
  const file = locateInstallation(directory).demoFile;
  if (!existsSync(file)) return {};
  const demo: unknown = JSON.parse(readFileSync(file, 'utf8'));
  return Value.Check(demoSchema, demo) ? demo : {};
}

function adviseOn(code: number, reason: string): string {
  if (code === 0)
    return 'Is it running? bin/postern status tells, bin/up starts it; --api names another address.';
  if (/token/i.test(reason))
    return 'Was the token revoked, or is it of another installation? See --help for where it is taken from.';
  if (code === 404) return 'Is the token of the right domain? Each sees its own messages and domains only.';
  if (code >= 500) return 'bin/postern status shows what is down; its log is in log/ of the installation.';
  return 'The page docs/api.md has the rules of each field.';
}
