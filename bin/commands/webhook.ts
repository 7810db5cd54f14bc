/** bin/postern webhook: the endpoints of a domain, what was delivered to them, and what is sent again. */
import type { Command } from 'commander';
import Type from 'typebox';
import type { PublicApi } from '../public-api.ts';
import { readId } from '../selection.ts';
import {
  deliverySchema,
  formatDeliveries,
  formatWebhook,
  formatWebhooks,
  webhookSchema,
  webhookWithSecretSchema,
} from '../webhook-text.ts';
import { runCommand, unwrap } from './context.ts';
import { findOwnDomain } from './own-domain.ts';

const DEFAULT_EVENTS = ['email.queued', 'email.delivered', 'email.deferred', 'email.bounced', 'email.spam'];

interface DomainOptions {
  domain: string;
}

type Print = (value: unknown, text: string) => void;
/** @param path of the domain, behind /api/v1 */
type Work = (api: PublicApi, path: string, print: Print) => Promise<void>;

export function addWebhookCommands(program: Command): void {
  const webhook = program
    .command('webhook')
    .description('Endpoints that are told what becomes of mail')
    .addHelpText(
      'after',
      `
Examples:
  $ bin/postern webhook add https://app.example.com/hooks --domain example.com
  $ bin/postern webhook deliveries 1 --domain example.com --state dead
  $ bin/postern webhook replay 1 --domain example.com --since 2026-01-31T00:00:00Z --dry-run`,
    );
  addManaging(webhook);
  addSwitching(webhook);
  addDeliveries(webhook);
}

function addManaging(webhook: Command): void {
  command(webhook, 'list', 'The endpoints of a domain').action((options: DomainOptions, command: Command) =>
    withDomain(command, options, async (api, path, print) => {
      const webhooks = unwrap(await api.call(Type.Array(webhookSchema), 'GET', `${path}/webhooks`));
      print(webhooks, formatWebhooks(webhooks));
    }),
  );
  command(webhook, 'add', 'Makes an endpoint. Its secret is shown this once.')
    .argument('<url>', 'https, on the public internet')
    .option('--events <event...>', 'what to tell', DEFAULT_EVENTS)
    .option('--notify <address>', 'who is told by mail when the endpoint fails')
    .option('--description <text>', 'what it is for', '')
    .action(
      (
        url: string,
        {
          events,
          notify,
          description,
          ...options
        }: DomainOptions & { events: string[]; notify?: string; description: string },
        command: Command,
      ) =>
        withDomain(command, options, async (api, path, print) => {
          const body = { webhook: { url, events, description, ...(notify && { notify }) } };
          const added = unwrap(await api.call(webhookWithSecretSchema, 'POST', `${path}/webhooks`, body));
          print(added, `${formatWebhook(added)}\n\nIts secret, shown only now:\n\n  ${added.secret}\n`);
        }),
    );
  command(webhook, 'show', 'One endpoint')
    .argument('<id>', 'of the endpoint', readId)
    .action((id: number, options: DomainOptions, command: Command) =>
      withDomain(command, options, async (api, path, print) => {
        const shown = unwrap(await api.call(webhookSchema, 'GET', `${path}/webhooks/${id}`));
        print(shown, formatWebhook(shown));
      }),
    );
  command(webhook, 'remove', 'Deletes an endpoint; what waits for it is not sent')
    .argument('<id>', 'of the endpoint', readId)
    .action((id: number, options: DomainOptions, command: Command) =>
      withDomain(command, options, async (api, path, print) => {
        unwrap(await api.call(Type.Object({ message: Type.String() }), 'DELETE', `${path}/webhooks/${id}`));
        print({ id }, `Endpoint ${id} is deleted.`);
      }),
    );
}

function addSwitching(webhook: Command): void {
  for (const [name, method, description] of [
    ['enable', 'PUT', 'Sends to it again, what has waited too; its failures are forgotten'],
    ['disable', 'DELETE', 'Sends it nothing more; events of this time are not kept for it'],
  ] as const) {
    command(webhook, name, description)
      .argument('<id>', 'of the endpoint', readId)
      .action((id: number, options: DomainOptions, command: Command) =>
        withDomain(command, options, async (api, path, print) => {
          const changed = unwrap(await api.call(webhookSchema, method, `${path}/webhooks/${id}/activation`));
          print(changed, formatWebhook(changed));
        }),
      );
  }
  overlap(command(webhook, 'rotate-secret', 'A new secret for an endpoint, shown this once'))
    .argument('<id>', 'of the endpoint', readId)
    .action((id: number, { overlap, ...options }: DomainOptions & { overlap: number }, command: Command) =>
      withDomain(command, options, async (api, path, print) => {
        const route = `${path}/webhooks/${id}/secret_rotations`;
        const rotated = unwrap(
          await api.call(webhookWithSecretSchema, 'POST', route, { overlap_seconds: overlap }),
        );
        print(rotated, `The new secret of endpoint ${id}, shown only now:\n\n  ${rotated.secret}\n`);
      }),
    );
  overlap(command(webhook, 'rotate-key', 'A new key pair for the webhooks of the domain')).action(
    ({ overlap, ...options }: DomainOptions & { overlap: number }, command: Command) =>
      withDomain(command, options, async (api, path, print) => {
        const keys = unwrap(
          await api.call(keysSchema, 'POST', `${path}/webhook_keys`, { overlap_seconds: overlap }),
        );
        const lines = keys.map(
          ({ public_key, retires_at }) => `  ${public_key}${retires_at ? `  until ${retires_at}` : ''}`,
        );
        print(keys, ['Public keys in use:', ...lines].join('\n'));
      }),
  );
}

const keysSchema = Type.Array(
  Type.Object({ public_key: Type.String(), retires_at: Type.Union([Type.String(), Type.Null()]) }),
);

function addDeliveries(webhook: Command): void {
  command(webhook, 'deliveries', 'What was sent to an endpoint and what waits, the latest first')
    .argument('<id>', 'of the endpoint', readId)
    .option('--state <state>', 'pending, delivered or dead')
    .option('--limit <count>', 'at most 200', readId, 50)
    .action(
      (
        id: number,
        { state, limit, ...options }: DomainOptions & { state?: string; limit: number },
        command: Command,
      ) =>
        withDomain(command, options, async (api, path, print) => {
          const query = new URLSearchParams({ limit: String(limit), ...(state && { state }) });
          const route = `${path}/webhooks/${id}/deliveries?${query}`;
          const deliveries = unwrap(await api.call(Type.Array(deliverySchema), 'GET', route));
          print(deliveries, formatDeliveries(deliveries));
        }),
    );
  command(
    webhook,
    'replay',
    'Sends again what an endpoint did not get: all that is dead, or what is selected',
  )
    .argument('<id>', 'of the endpoint', readId)
    .option('--delivery <id...>', 'these')
    .option('--since <moment>', 'of the event, as 2026-01-31T18:00:00Z')
    .option('--until <moment>', 'of the event')
    .option('--state <state>', 'dead, delivered or any', 'dead')
    .option('--dry-run', 'only count')
    .action((id: number, options: DomainOptions & ReplayOptions, command: Command) =>
      withDomain(command, options, async (api, path, print) => {
        const body = toReplay(options);
        const replayed = unwrap(await api.call(replaySchema, 'POST', `${path}/webhooks/${id}/replays`, body));
        const verb = replayed.dry_run ? 'would be sent again' : 'are sent again';
        print(replayed, `${replayed.count} deliveries ${verb}.`);
      }),
    );
}

const replaySchema = Type.Object({ count: Type.Integer(), dry_run: Type.Boolean() });

interface ReplayOptions {
  delivery?: string[];
  since?: string;
  until?: string;
  state: string;
  dryRun?: boolean;
}

function toReplay({ delivery, since, until, state, dryRun = false }: ReplayOptions): object {
  return {
    state,
    dry_run: dryRun,
    ...(delivery && { delivery_ids: delivery }),
    ...(since && { since }),
    ...(until && { until }),
  };
}

function command(webhook: Command, name: string, description: string): Command {
  return webhook
    .command(name)
    .description(description)
    .requiredOption('--domain <name>', 'as example.com')
    .option('--organization-token <token>', "the organization's API token");
}

function overlap(command: Command): Command {
  return command.option('--overlap <seconds>', 'how long the one before stays good', Number, 86_400);
}

function withDomain(command: Command, { domain: name }: DomainOptions, work: Work): Promise<void> {
  return runCommand(command, async ({ organizationApi, print }) => {
    const api = organizationApi();
    const { id } = await findOwnDomain(api, name);
    await work(api, `/domains/${id}`, print);
  });
}
