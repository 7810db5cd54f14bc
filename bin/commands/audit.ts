import type { Command } from 'commander';
import Type from 'typebox';
import { auditEntrySchema, formatAuditEntries } from '../organization-text.ts';
import { readId } from '../selection.ts';
import { runCommand, unwrap } from './context.ts';

interface AuditOptions {
  limit: number;
  organization?: number;
  organizationToken?: string;
}

export function addAuditCommand(program: Command): void {
  program
    .command('audit')
    .description('Who changed what, newest first')
    .option('--limit <number>', 'how many, at most 200', readId, 50)
    .option('--organization <id>', 'only of this one', readId)
    .option('--operator-token <token>', "an operator's token, to see what was changed of all organizations")
    .option('--organization-token <token>', "an organization's token, to see its own log")
    .action((options: AuditOptions, command: Command) =>
      runCommand(command, async ({ organizationApi, operatorApi, print }) => {
        const query = new URLSearchParams({
          limit: String(options.limit),
          ...(options.organization && { organization_id: String(options.organization) }),
        });
        const entries = unwrap(
          options.organizationToken
            ? await organizationApi().call(entriesSchema, 'GET', `/organization/audit_entries?${query}`)
            : await operatorApi().call(entriesSchema, 'GET', `/audit_entries?${query}`),
        );
        print(entries, formatAuditEntries(entries));
      }),
    );
}

const entriesSchema = Type.Array(auditEntrySchema);
