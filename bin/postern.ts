/**
 * bin/postern: the command line. One file a noun in commands/. It talks HTTP to the api, with the tokens a customer has,
 * to the control port of the mta, with the service token, and to the health ports. What an operator does on the machine
 * itself it does there: backups and the doctor open the databases, certificates writes its files, what needs the api's
 * own code runs in api/console.ts (schedule, secrets, tls-reports). Deploy alone changes other hosts, by ssh.
 *
 * Trusts nothing it prints: what comes from messages is cleaned of control characters (LG-1).
 * Settings: those of the installation named by --directory, for the addresses of its processes.
 * Exit codes: 0, 1 (refused or out of reach), 78 (the configuration has problems).
 */
import { join } from 'node:path';
import { Command } from 'commander';
import { projectRoot } from '../deploy/local/installation.ts';
import { addAuditCommand } from './commands/audit.ts';
import { addBackupCommands } from './commands/backup.ts';
import { addBounceCommands } from './commands/bounce.ts';
import { addCertificatesCommands } from './commands/certificates.ts';
import { addConfigCommands } from './commands/config.ts';
import { addDeployCommands } from './commands/deploy.ts';
import { addDoctorCommand } from './commands/doctor.ts';
import { addDomainCommands } from './commands/domain.ts';
import { addInboundCommands } from './commands/inbound.ts';
import { addIpsCommands } from './commands/ips.ts';
import { addMessageCommands } from './commands/message.ts';
import { addOrganizationCommands } from './commands/organization.ts';
import { addPacingCommands } from './commands/pacing.ts';
import { addPoolCommands } from './commands/pool.ts';
import { addPostmasterCommands } from './commands/postmaster.ts';
import { addQueueCommands } from './commands/queue.ts';
import { addReportCommands } from './commands/report.ts';
import { addScheduleCommand } from './commands/schedule.ts';
import { addSecretsCommands } from './commands/secrets.ts';
import { addSendCommand } from './commands/send.ts';
import { addSpamCommands } from './commands/spam.ts';
import { addStatusCommand } from './commands/status.ts';
import { addSuppressionCommands } from './commands/suppression.ts';
import { addTlsReportsCommand } from './commands/tls-report.ts';
import { addTokenCommands } from './commands/token.ts';
import { addWebhookCommands } from './commands/webhook.ts';

const program = new Command('postern')
  .description(
    'Looks after a Postern installation: what runs, what was sent, what is queued, domains and tokens.',
  )
  .option('--directory <path>', 'the installation', process.env.POSTERN_DIRECTORY ?? join(projectRoot, 'var'))
  .option('--api <url>', 'where the api answers (default: as the settings of the installation say)')
  .option('--json', 'print one JSON value instead of text')
  .showHelpAfterError()
  .addHelpText(
    'after',
    `
Examples:
  $ bin/postern status
  $ bin/postern send --from hello@demo.postern.test --to you@example.test --subject Hello --text "It works"
  $ bin/postern message show 1
  $ bin/postern domain add example.com
  $ bin/postern domain verify example.com
  $ bin/postern organization create Shop
  $ bin/postern spam list
  $ bin/postern pool list
  $ bin/postern ips check
  $ bin/postern queue summary
  $ bin/postern pacing changes --site google
  $ bin/postern doctor
  $ bin/postern bounce explain --reply '550 5.1.1 User unknown'
  $ bin/postern token create --domain example.com
  $ bin/postern suppression add ann@example.com --domain example.com
  $ bin/postern backup create
  $ bin/postern schedule
  $ bin/postern certificates renew
  $ bin/postern config check
  $ bin/postern deploy

The tokens come from --token, --organization-token and --operator-token, or POSTERN_TOKEN,
POSTERN_ORGANIZATION_TOKEN and POSTERN_OPERATOR_TOKEN, or from demo.json, which bin/up wrote into the installation.`,
  );

addStatusCommand(program);
addSendCommand(program);
addMessageCommands(program);
addDomainCommands(program);
addTokenCommands(program);
addSuppressionCommands(program);
addInboundCommands(program);
addPostmasterCommands(program);
addWebhookCommands(program);
addReportCommands(program);
addOrganizationCommands(program);
addAuditCommand(program);
addSpamCommands(program);
addPoolCommands(program);
addIpsCommands(program);
addPacingCommands(program);
addSecretsCommands(program);
addBackupCommands(program);
addCertificatesCommands(program);
addScheduleCommand(program);
addTlsReportsCommand(program);
addQueueCommands(program);
addDoctorCommand(program);
addBounceCommands(program);
addConfigCommands(program);
addDeployCommands(program);
await program.parseAsync();
