/**
 * bin/up: everything on this machine, from nothing to a delivered message. Makes its own secrets, organization, domain
 * and token on the first run; later runs start what is down and leave the rest alone.
 *
 * For development and tests: mail goes to the sandbox and nowhere else, and it refuses to run in production. Writes
 * only below --directory (but see postgres-location.ts). Settings: all; see docs/settings.md.
 */
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import type { Message } from '../../bin/public-api.ts';
import { formatMessage } from '../../bin/timeline.ts';
import { describeStack, prepareDemo, type StackDescription } from './demo.ts';
import { sendFirstMessage } from './first-message.ts';
import { projectRoot } from './installation.ts';
import { abortOnInterrupt } from './interrupt.ts';
import { startStack } from './stack.ts';
import { createSteps, StepFailure } from './steps.ts';

const options = new Command('bin/up')
  .description('Starts everything on this machine and sends a first message through it.')
  .option('--directory <path>', 'where this installation keeps what it writes', join(projectRoot, 'var'))
  .option('--json', 'print one JSON object on the last line of stdout, and the rest on stderr')
  .addHelpText(
    'after',
    `
It installs what is missing, starts Postgres and Redis unless DATABASE_URL, QUEUE_DATABASE_URL and REDIS_URL name
others, migrates, and starts the processes of ecosystem.config.cjs under pm2. Running it again is harmless.
bin/down stops everything. To run a second installation, give it other ports in <directory>/postern.toml.`,
  )
  .parse()
  .opts<{ directory: string; json?: boolean }>();

const directory = resolve(options.directory);
const write = options.json ? console.error : console.log;
const interrupted = abortOnInterrupt();

try {
  const { stack, message } = await up();
  if (message) write(`\n${formatMessage(message)}`);
  write(`\n${describeForPeople(stack)}`);
  if (options.json) console.log(JSON.stringify(stack));
} catch (error) {
  console.error(`\nbin/up: ${explain(error)}`);
  process.exitCode = interrupted.aborted ? 130 : 1;
}

async function up(): Promise<{ stack: StackDescription; message: Message | undefined }> {
  const steps = createSteps(write, interrupted);
  const { settings, undo } = await startStack(directory, steps);
  try {
    const { demo, isNew } = await steps.run('demo organization, domain and token', () =>
      prepareDemo(settings, interrupted),
    );
    const stack = describeStack(settings, demo);
    const message = isNew
      ? await steps.run('a first message is delivered', () => sendFirstMessage(stack, interrupted))
      : undefined;
    return { stack, message };
  } catch (error) {
    await undo();
    throw error;
  }
}

function explain(error: unknown): string {
  if (interrupted.aborted) return 'interrupted; what it had started is stopped again';
  if (error instanceof StepFailure) return `${error.message}\nWhat this run had started is stopped again.`;
  return error instanceof Error ? `${error.stack}` : String(error);
}

function describeForPeople({ api, token, domain, smtp, inbound, sandbox }: StackDescription): string {
  return `Postern is up.

  HTTP API   ${api}/api/v1
  SMTP       ${smtp.host}, STARTTLS on ${smtp.starttls} and ${smtp.alternative}, TLS on ${smtp.tls}; user and password are the token
  Inbound    ${inbound.host}:${inbound.port}  (mail for a domain's inbound routes, and what comes back)
  Sandbox    ${sandbox.http}  (all mail ends up here; DNS on ${sandbox.dns}, MX on ${sandbox.smtp})
  Domain     ${domain}
  Token      ${token}
  Logs       ${directory}/log

Send one over HTTP:

  curl ${api}/api/v1/send -H 'Accept: application/json' -H 'Content-Type: application/json' \\
    -H 'MailPace-Server-Token: ${token}' \\
    -d '{"from":"hello@${domain}","to":"you@example.test","subject":"Hello","textbody":"It works."}'

and one over SMTP:

  swaks --server ${smtp.host}:${smtp.starttls} --tls --auth PLAIN --auth-user ${token} --auth-password ${token} \\
    --from hello@${domain} --to you@example.test --header 'Subject: Hello' --body 'It works.'

Then look at ${sandbox.http}, or ask what became of it: bin/postern message show <id>`;
}
