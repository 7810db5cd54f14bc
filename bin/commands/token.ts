/** bin/postern token: by which applications send from a domain. */
import type { Command } from 'commander';
import Type, { type Static } from 'typebox';
import { nullable } from '../nullable.ts';
import type { PublicApi } from '../public-api.ts';
import { readId, readMoment } from '../selection.ts';
import { formatTable } from '../text.ts';
import { type CommandContext, runCommand, unwrap } from './context.ts';
import { findOwnDomain } from './own-domain.ts';

interface DomainOptions {
  domain: string;
}

interface CreateOptions extends DomainOptions {
  name: string;
  scope?: string[];
  network?: string[];
  expires?: string;
  sandbox?: true;
}

const tokenSchema = Type.Object({
  id: Type.Integer(),
  name: Type.String(),
  scopes: nullable(Type.Array(Type.String())),
  allowed_networks: Type.Array(Type.String()),
  expires_at: nullable(Type.String()),
  last_used_at: nullable(Type.String()),
  sandbox: Type.Boolean(),
});
const newTokenSchema = Type.Object({ ...tokenSchema.properties, token: Type.String() });

export function addTokenCommands(program: Command): void {
  const token = program
    .command('token')
    .description('The API tokens of a domain')
    .addHelpText(
      'after',
      `
Examples:
  $ bin/postern token create --domain example.com --name billing
  $ bin/postern token create --domain example.com --scope send --network 192.0.2.0/24 --expires 90d`,
    );
  ofDomain(
    token
      .command('create')
      .description('Makes a token that may send from the domain over HTTP and SMTP. It is shown this once.'),
  )
    .option('--name <text>', 'what it is for, as "billing"', '')
    .option('--scope <scope...>', 'only that, as send or messages:read')
    .option('--network <network...>', 'only from there, as 192.0.2.0/24')
    .option('--expires <when>', 'a duration from now, as 90d, or a moment', readMoment)
    .option('--sandbox', 'its mail is accepted, and its outcome is played: none leaves')
    .action((options: CreateOptions, command: Command) =>
      withTokens(command, options, async (api, path, print) => {
        const created = unwrap(await api.call(newTokenSchema, 'POST', path, { api_token: toTerms(options) }));
        const kind = created.sandbox ? 'Sandbox token' : 'Token';
        print(created, `${kind} ${created.id} of ${options.domain}, shown only now:\n\n  ${created.token}\n`);
      }),
    );
  ofDomain(token.command('list').description('Those that are not revoked')).action(
    (options: DomainOptions, command: Command) =>
      withTokens(command, options, async (api, path, print) => {
        const tokens = unwrap(await api.call(Type.Array(tokenSchema), 'GET', path));
        print(tokens, formatTokens(tokens));
      }),
  );
  ofDomain(
    token
      .command('revoke')
      .description('Nobody gets in with it any more, anywhere, within a second')
      .argument('<id>', 'of the token', readId),
  ).action((id: number, options: DomainOptions, command: Command) =>
    withTokens(command, options, async (api, path, print) => {
      unwrap(await api.call(Type.Object({ message: Type.String() }), 'DELETE', `${path}/${id}`));
      print({ id }, `Token ${id} is revoked.`);
    }),
  );
}

function ofDomain(command: Command): Command {
  return command
    .requiredOption('--domain <name>', 'as example.com')
    .option('--organization-token <token>', "the organization's API token");
}

function withTokens(
  command: Command,
  { domain }: DomainOptions,
  work: (api: PublicApi, path: string, print: CommandContext['print']) => Promise<void>,
): Promise<void> {
  return runCommand(command, async ({ organizationApi, print }) => {
    const api = organizationApi();
    const { id } = await findOwnDomain(api, domain);
    await work(api, `/domains/${id}/api_tokens`, print);
  });
}

function toTerms({ name, scope, network, expires, sandbox }: CreateOptions): object {
  return {
    name,
    ...(scope && { scopes: scope }),
    ...(network && { allowed_networks: network }),
    ...(expires && { expires_at: expires }),
    ...(sandbox && { sandbox }),
  };
}

function formatTokens(tokens: Static<typeof tokenSchema>[]): string {
  return formatTable(
    ['id', 'name', 'may', 'from', 'expires', 'last used'],
    tokens.map(({ id, name, scopes, allowed_networks, expires_at, last_used_at, sandbox }) => [
      String(id),
      name,
      `${scopes?.join(', ') ?? 'everything'}${sandbox ? ', in the sandbox' : ''}`,
      allowed_networks.join(', ') || 'anywhere',
      expires_at ?? 'never',
      last_used_at ?? 'never',
    ]),
  );
}
