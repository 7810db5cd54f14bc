/** bin/postern organization: the customers of an installation, for its operators. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import Type from 'typebox';
import { formatOrganizations, organizationSchema } from '../organization-text.ts';
import type { PublicApi } from '../public-api.ts';
import { readId } from '../selection.ts';
import { type CommandContext, runCommand, unwrap } from './context.ts';

interface TermsOptions {
  retentionDays?: number;
  maxDomains?: number | null;
  messagesPerMinute?: number | null;
  spamMarkScore?: number | null;
  spamHoldScore?: number | null;
  spamRefuseScore?: number | null;
  contact?: string | null;
  bounceMail?: boolean;
  tlsRequired?: boolean;
}

type Print = CommandContext['print'];

const tokenSchema = Type.Object({ token: Type.String() });

export function addOrganizationCommands(program: Command): void {
  const organization = program
    .command('organization')
    .description('The customers: their limits, and whether they may send')
    .addHelpText(
      'after',
      `
Examples:
  $ bin/postern organization create Shop --max-domains 3
  $ bin/postern organization limits 3 --messages-per-minute 1000 --retention-days 90
  $ bin/postern organization suspend 3`,
    );

  withToken(
    organization
      .command('list')
      .description('All of them, newest first')
      .option('--suspended', 'only those that may not send, with the reasons'),
  ).action(({ suspended }: { suspended?: true }, command: Command) =>
    withApi(command, async (api, print) => {
      const path = `/organizations?limit=200${suspended ? '&suspended=true' : ''}`;
      const all = unwrap(await api.call(Type.Array(organizationSchema), 'GET', path));
      print(all, formatOrganizations(all));
    }),
  );
  addCreation(organization);
  addForOne(organization, 'show', 'One organization', 'GET', '');
  addSuspension(organization);
  addForOne(organization, 'resume', 'Takes a suspension or a throttle back', 'DELETE', '/suspension');
  addLimits(organization);
}

function addCreation(organization: Command): void {
  withTerms(
    organization
      .command('create')
      .description('Makes an organization and its first token, which is shown this once')
      .argument('<name>'),
  ).action((name: string, options: TermsOptions, command: Command) =>
    withApi(command, async (api, print) => {
      const asked = { organization: { name, ...toTerms(options) } };
      const made = unwrap(await api.call(organizationSchema, 'POST', '/organizations', asked));
      const path = `/organizations/${made.id}/api_tokens`;
      const { token } = unwrap(await api.call(tokenSchema, 'POST', path, { api_token: { name: 'first' } }));
      print(
        { ...made, token },
        `Organization ${made.id} is made. Its token, shown only now:\n\n  ${token}\n`,
      );
    }),
  );
}

function addForOne(
  organization: Command,
  name: string,
  description: string,
  method: 'GET' | 'DELETE',
  path: string,
): void {
  withToken(
    organization.command(name).description(description).argument('<id>', 'of the organization', readId),
  ).action((id: number, _options, command: Command) =>
    withApi(command, async (api, print) => {
      const shown = unwrap(await api.call(organizationSchema, method, `/organizations/${id}${path}`));
      print(shown, formatOrganizations([shown]));
    }),
  );
}

function addSuspension(organization: Command): void {
  withToken(
    organization
      .command('suspend')
      .description('No mail of it is taken any more; what was accepted goes out')
      .argument('<id>', 'of the organization', readId)
      .option('--reason <text>', 'for whoever looks at it later')
      .addOption(
        new Option('--kind <kind>', 'no_plan: senders are told that there is no active plan')
          .choices(['operator', 'no_plan'])
          .default('operator'),
      ),
  ).action((id: number, { kind, reason }: { kind: string; reason?: string }, command: Command) =>
    withApi(command, async (api, print) => {
      const path = `/organizations/${id}/suspension`;
      const shown = unwrap(await api.call(organizationSchema, 'PUT', path, { kind, reason }));
      print(shown, formatOrganizations([shown]));
    }),
  );
}

function addLimits(organization: Command): void {
  withTerms(
    organization
      .command('limits')
      .description('Changes what is named, and nothing else')
      .argument('<id>', 'of the organization', readId),
  ).action((id: number, options: TermsOptions, command: Command) =>
    withApi(command, async (api, print) => {
      const asked = { organization: toTerms(options) };
      const changed = unwrap(await api.call(organizationSchema, 'PATCH', `/organizations/${id}`, asked));
      print(changed, formatOrganizations([changed]));
    }),
  );
}

function withApi(command: Command, work: (api: PublicApi, print: Print) => Promise<void>): Promise<void> {
  return runCommand(command, ({ operatorApi, print }) => work(operatorApi(), print));
}

function withToken(command: Command): Command {
  return command.option('--operator-token <token>', "an operator's token");
}

function withTerms(command: Command): Command {
  return withToken(command)
    .option('--retention-days <days>', 'how long its messages are kept', readId)
    .option('--max-domains <number>', 'how many it may have, or none: as many as it likes', readLimit)
    .option('--messages-per-minute <number>', 'or none: as the settings say', readLimit)
    .option('--spam-mark-score <number>', 'mail is marked from here, or none: as the settings say', readScore)
    .option('--spam-hold-score <number>', 'mail is held for review from here, or none', readScore)
    .option('--spam-refuse-score <number>', 'mail is refused from here, or none', readScore)
    .option('--contact <address>', 'who is told of a throttle or a suspension, or none', readContact)
    .option('--bounce-mail <yes|no>', 'whether senders by SMTP are told by mail of what fails', readYesNo)
    .option(
      '--tls-required <yes|no>',
      'whether all its mail waits for TLS with a certificate that holds',
      readYesNo,
    );
}

/** What is not named is left away. */
function toTerms(options: TermsOptions): object {
  return {
    retention_days: options.retentionDays,
    max_domains: options.maxDomains,
    messages_per_minute: options.messagesPerMinute,
    spam_mark_score: options.spamMarkScore,
    spam_hold_score: options.spamHoldScore,
    spam_refuse_score: options.spamRefuseScore,
    contact: options.contact,
    bounce_mail: options.bounceMail,
    tls_required: options.tlsRequired,
  };
}

function readYesNo(text: string): boolean {
  if (text === 'yes' || text === 'no') return text === 'yes';
  throw new InvalidArgumentError('It must be yes or no.');
}

function readContact(text: string): string | null {
  return text === 'none' ? null : text;
}

function readLimit(text: string): number | null {
  if (text === 'none') return null;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a number, as 100, or none.');
}

function readScore(text: string): number | null {
  if (text === 'none') return null;
  if (/^-?\d{1,3}(\.\d{1,2})?$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a number, as 7.5, or none.');
}
