/** bin/postern inbound: where a domain's mail goes, and what came in. */
import type { Command } from 'commander';
import Type, { type Static } from 'typebox';
import { readId } from '../selection.ts';
import { formatTable } from '../text.ts';
import { runCommand, unwrap } from './context.ts';

const nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

const routeSchema = Type.Object({
  id: Type.Integer(),
  address: Type.String(),
  target: Type.String(),
  url: nullable(Type.String()),
});
const newRouteSchema = Type.Object({ ...routeSchema.properties, secret: nullable(Type.String()) });
const messageSchema = Type.Object({
  id: Type.Integer(),
  status: Type.String(),
  envelope: Type.Object({ from: Type.String(), to: Type.String() }),
  subject: nullable(Type.String()),
  created_at: Type.String(),
});

export function addInboundCommands(program: Command): void {
  const inbound = program
    .command('inbound')
    .description('Where incoming mail goes, and what came')
    .addHelpText(
      'after',
      `
Examples:
  $ bin/postern inbound add '*@in.example.com' --domain example.com --url https://app.example.com/mail
  $ bin/postern inbound add ann@example.com --domain example.com
  $ bin/postern inbound messages --status failed`,
    );
  command(inbound, 'list', 'The routes of all domains').action((_options: object, self: Command) =>
    runCommand(self, async ({ organizationApi, print }) => {
      const schema = Type.Object({ inbound_routes: Type.Array(routeSchema) });
      const { inbound_routes } = unwrap(await organizationApi().call(schema, 'GET', '/inbound_routes'));
      print(inbound_routes, formatRoutes(inbound_routes));
    }),
  );
  command(inbound, 'add', 'Makes a route: to an endpoint with --url, else mail is kept to be fetched')
    .argument('<address>', 'as ann@example.com, sales-*@example.com, *@in.example.com')
    .requiredOption('--domain <name>', 'as example.com')
    .option('--url <url>', 'https, may hold user:password@')
    .action((address: string, { domain, url }: { domain: string; url?: string }, self: Command) =>
      runCommand(self, async ({ organizationApi, print }) => {
        const body = { domain, address, target: url ? 'http' : 'store', ...(url && { url }) };
        const added = unwrap(await organizationApi().call(newRouteSchema, 'POST', '/inbound_routes', body));
        const secret = added.secret ? `\n\nIts secret, shown only now:\n\n  ${added.secret}\n` : '';
        print(added, formatRoutes([added]) + secret);
      }),
    );
  command(inbound, 'remove', 'Deletes a route; its mail is refused from then on')
    .argument('<id>', 'of the route', readId)
    .action((id: number, _options: object, self: Command) =>
      runCommand(self, async ({ organizationApi, print }) => {
        const schema = Type.Object({ message: Type.String() });
        unwrap(await organizationApi().call(schema, 'DELETE', `/inbound_routes/${id}`));
        print({ id }, `Route ${id} is deleted.`);
      }),
    );
  command(inbound, 'messages', 'What came in, the latest first')
    .option('--status <status>', 'stored, queued, retrying, delivered or failed')
    .option('--limit <count>', 'at most 200', readId, 50)
    .action(({ status, limit }: { status?: string; limit: number }, self: Command) =>
      runCommand(self, async ({ organizationApi, print }) => {
        const query = new URLSearchParams({ limit: String(limit), ...(status && { status }) });
        const schema = Type.Object({ inbound_messages: Type.Array(messageSchema) });
        const found = unwrap(await organizationApi().call(schema, 'GET', `/inbound_messages?${query}`));
        print(found.inbound_messages, formatMessages(found.inbound_messages));
      }),
    );
}

function command(inbound: Command, name: string, description: string): Command {
  return inbound
    .command(name)
    .description(description)
    .option('--organization-token <token>', "the organization's API token");
}

function formatRoutes(routes: readonly Static<typeof routeSchema>[]): string {
  if (routes.length === 0) return 'No routes. bin/postern inbound add makes one.';
  return formatTable(
    ['id', 'address', 'target', 'url'],
    routes.map(({ id, address, target, url }) => [String(id), address, target, url ?? '']),
  );
}

function formatMessages(messages: readonly Static<typeof messageSchema>[]): string {
  if (messages.length === 0) return 'No messages.';
  return formatTable(
    ['id', 'status', 'from', 'to', 'subject', 'at'],
    messages.map(({ id, status, envelope, subject, created_at }) => [
      ...[String(id), status, envelope.from, envelope.to],
      ...[subject ?? '', created_at],
    ]),
  );
}
