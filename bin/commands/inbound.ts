/** bin/postern inbound: where a domain's mail goes, and what came in. */
import { type Command, Option } from 'commander';
import Type from 'typebox';
import {
  formatMessages,
  formatRoutes,
  formatRouteWithSecret,
  messageSchema,
  routeSchema,
  routeWithSecretSchema,
} from '../inbound-text.ts';
import { readId } from '../selection.ts';
import { runCommand, unwrap } from './context.ts';

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
  $ bin/postern inbound add bob@example.com --domain example.com --url smtp://mail.example.com
  $ bin/postern inbound add eve@example.com --domain example.com --forward-to eve@elsewhere.example
  $ bin/postern inbound confirm 9 12345678
  $ bin/postern inbound change 7 --url https://new.example.com/mail --spam-refuse-score 8
  $ bin/postern inbound messages --status failed`,
    );
  command(inbound, 'list', 'The routes of all domains').action((_options: object, self: Command) =>
    runCommand(self, async ({ organizationApi, print }) => {
      const schema = Type.Object({ inbound_routes: Type.Array(routeSchema) });
      const { inbound_routes } = unwrap(await organizationApi().call(schema, 'GET', '/inbound_routes'));
      print(inbound_routes, formatRoutes(inbound_routes));
    }),
  );
  termsOf(
    command(inbound, 'add', 'Makes a route: to --url or --forward-to, else mail is kept to be fetched')
      .argument('<address>', 'as ann@example.com, sales-*@example.com, *@in.example.com')
      .requiredOption('--domain <name>', 'as example.com'),
  ).action((address: string, { domain, ...terms }: Terms & { domain: string }, self: Command) =>
    runCommand(self, async ({ organizationApi, print }) => {
      const body = { target: 'store', ...readTerms(terms), domain, address };
      const added = unwrap(
        await organizationApi().call(routeWithSecretSchema, 'POST', '/inbound_routes', body),
      );
      print(added, formatRouteWithSecret(added));
    }),
  );
  termsOf(
    command(inbound, 'change', 'Changes a route; what is not named stays').argument(
      '<id>',
      'of the route',
      readId,
    ),
  )
    .option('--store', 'mail is kept to be fetched, and sent nowhere')
    .action((id: number, terms: Terms, self: Command) =>
      runCommand(self, async ({ organizationApi, print }) => {
        const path = `/inbound_routes/${id}`;
        const changed = unwrap(
          await organizationApi().call(routeWithSecretSchema, 'PATCH', path, readTerms(terms)),
        );
        print(changed, formatRouteWithSecret(changed));
      }),
    );
  command(inbound, 'confirm', 'Enters the code that the address of --forward-to was sent')
    .argument('<id>', 'of the route', readId)
    .argument('<code>', 'of eight digits')
    .action((id: number, code: string, _options: object, self: Command) =>
      runCommand(self, async ({ organizationApi, print }) => {
        const path = `/inbound_routes/${id}/confirmation`;
        const confirmed = unwrap(await organizationApi().call(routeSchema, 'POST', path, { code }));
        print(confirmed, formatRoutes([confirmed]));
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

interface Terms {
  url?: string;
  forwardTo?: string;
  store?: true;
  tls?: 'required' | 'offered';
  dmarc?: string;
  spamRefuseScore?: number;
  description?: string;
}

function termsOf(command: Command): Command {
  return command
    .option(
      '--url <url>',
      'https:// of an application, or smtp:// or smtps:// of a server; may hold user:password@',
    )
    .option('--forward-to <address>', 'mail goes on there; it may have to agree first')
    .addOption(new Option('--tls <when>', 'to a server by SMTP').choices(['required', 'offered']))
    .addOption(new Option('--dmarc <policy>', 'what p=reject means').choices(['honour', 'mark']))
    .option('--spam-refuse-score <score>', 'mail from this score on is refused', Number)
    .option('--description <text>', 'what it is for');
}

/** As the API has them; the scheme of an URL says which kind of target it is. */
function readTerms({ url, forwardTo, store, tls, dmarc, spamRefuseScore, description }: Terms): object {
  return {
    ...(store && { target: 'store' }),
    ...(url !== undefined && { target: /^smtps?:/i.test(url) ? 'smtp' : 'http', url }),
    ...(forwardTo !== undefined && { target: 'forward', forward_to: forwardTo }),
    ...(tls && { requires_tls: tls === 'required' }),
    ...(dmarc && { dmarc }),
    ...(spamRefuseScore !== undefined && { spam_refuse_score: spamRefuseScore }),
    ...(description !== undefined && { description }),
  };
}

function command(inbound: Command, name: string, description: string): Command {
  return inbound
    .command(name)
    .description(description)
    .option('--organization-token <token>', "the organization's API token");
}
