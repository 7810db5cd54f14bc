/** bin/postern reports: what others say of a domain's mail (DMARC), and of their way to it (TLS). */
import type { Command } from 'commander';
import Type from 'typebox';
import { clean, formatTable } from '../text.ts';
import { runCommand, unwrap } from './context.ts';
import { findOwnDomain } from './own-domain.ts';

const DAY_MS = 86_400_000;

const sumSchema = Type.Object({
  kind: Type.String(),
  day: Type.String(),
  source: Type.String(),
  result: Type.String(),
  passed: Type.Boolean(),
  messages: Type.Integer(),
});
const reportSchema = Type.Object({
  id: Type.Integer(),
  kind: Type.String(),
  reporter: Type.String(),
  report_id: Type.String(),
  authenticated_domains: Type.Array(Type.String()),
  began_at: Type.String(),
  messages: Type.Integer(),
  passed: Type.Integer(),
});

interface Options {
  kind?: string;
  days: number;
  limit: number;
  each?: boolean;
}

export function addReportCommands(program: Command): void {
  program
    .command('reports')
    .description('What DMARC and TLS reports say of a domain, by day and source')
    .argument('<domain>', 'of the organization')
    .option('--kind <kind>', 'dmarc or tls')
    .option('--days <count>', 'so far back', Number, 30)
    .option('--limit <count>', 'lines at most', Number, 100)
    .option('--each', 'the reports themselves, the newest first')
    .addHelpText(
      'after',
      `
Examples:
  $ bin/postern reports example.com --kind dmarc --days 7
  $ bin/postern reports example.com --each`,
    )
    .action((name: string, { kind, days, limit, each }: Options, command: Command) =>
      runCommand(command, async ({ organizationApi, print }) => {
        const api = organizationApi();
        const { id } = await findOwnDomain(api, name);
        const since = new Date(Date.now() - days * DAY_MS).toISOString().slice(0, 10);
        const query = new URLSearchParams({ since, limit: String(limit), ...(kind && { kind }) });
        if (each) {
          const reports = unwrap(
            await api.call(Type.Array(reportSchema), 'GET', `/domains/${id}/reports?${query}`),
          );
          print(reports, formatReports(reports));
        } else {
          const sums = unwrap(
            await api.call(Type.Array(sumSchema), 'GET', `/domains/${id}/report_sums?${query}`),
          );
          print(sums, formatSums(sums));
        }
      }),
    );
}

function formatSums(sums: readonly Type.Static<typeof sumSchema>[]): string {
  if (sums.length === 0) return 'Nothing was reported.';
  return formatTable(
    ['day', 'kind', 'source', 'result', 'passed', 'messages'],
    sums.map(({ day, kind, source, result, passed, messages }) => [
      day,
      kind,
      clean(source),
      clean(result),
      passed ? 'yes' : 'no',
      String(messages),
    ]),
  );
}

function formatReports(reports: readonly Type.Static<typeof reportSchema>[]): string {
  if (reports.length === 0) return 'Nothing was reported.';
  return formatTable(
    ['id', 'kind', 'day', 'reporter', 'report', 'messages', 'passed', 'authenticated'],
    reports.map((report) => [
      String(report.id),
      report.kind,
      report.began_at.slice(0, 10),
      clean(report.reporter),
      clean(report.report_id),
      String(report.messages),
      String(report.passed),
      clean(report.authenticated_domains.join(' ') || 'no'),
    ]),
  );
}
