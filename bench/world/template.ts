/** The message that everything that waits is a copy of: it came in by the intake, and was deferred. */
import { takeTemplate } from './backlog.ts';
import { isTakingMail } from './listening.ts';
import { runSource } from './smtp-source.ts';
import { waitUntil } from './wait.ts';

/** Its MX has an address on which nobody listens (sandbox/domains.ts), unless startSilentMx does. */
export const DEAD_DOMAIN = 'refused.example';
const TEMPLATE_DOMAIN = 'template.refused.example';

export async function makeTemplate({
  intakePort,
  queueUrl,
  bodyBytes,
}: {
  intakePort: number;
  queueUrl: string;
  bodyBytes: number;
}): Promise<void> {
  await waitUntil('the greeting', () => isTakingMail(intakePort));
  const plan = { processes: 1, sessionsEach: 1, messagesEach: 1, domains: [TEMPLATE_DOMAIN] };
  await runSource(plan, { port: intakePort, bodyBytes });
  await takeTemplate(queueUrl, `rcpt@${TEMPLATE_DOMAIN}`);
}
