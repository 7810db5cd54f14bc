import type { Command } from 'commander';
import Type, { type Static } from 'typebox';
import { askConsole } from '../console.ts';
import { clean, formatTable } from '../text.ts';
import { runCommand } from './context.ts';

const jobSchema = Type.Object({
  job: Type.String(),
  cron: Type.String(),
  about: Type.String(),
  result: Type.String(),
  detail: Type.String(),
  startedAt: Type.Union([Type.String(), Type.Null()]),
  seconds: Type.Union([Type.Number(), Type.Null()]),
  nextAt: Type.String(),
});
const answerSchema = Type.Object({ jobs: Type.Array(jobSchema) });
const BAD = ['failing', 'overdue'];

export function addScheduleCommand(program: Command): void {
  program
    .command('schedule')
    .description('The periodic jobs: last run, result, next run. Exit code 1 where one fails.')
    .action((_options, command: Command) =>
      runCommand(command, async ({ directory, print }) => {
        const { jobs } = await askConsole(
          directory,
          ['list-schedule'],
          answerSchema,
          'bin/postern doctor shows whether the app database answers.',
        );
        print(jobs, format(jobs));
        if (jobs.some(({ result }) => BAD.includes(result))) process.exitCode = 1;
      }),
    );
}

type Job = Static<typeof jobSchema>;

function format(jobs: Job[]): string {
  const rows = jobs.map(({ job, result, startedAt, seconds, nextAt, about }) => [
    job,
    result,
    startedAt ? toMinute(startedAt) : '-',
    seconds === null ? '-' : `${seconds.toFixed(1)} s`,
    toMinute(nextAt),
    about,
  ]);
  const troubles = jobs
    .filter(({ result }) => BAD.includes(result))
    .map(
      ({ job, detail }) => `${job}: ${clean(detail) || 'it began and never ended; the next run begins anew'}`,
    );
  return [
    formatTable(['job', 'result', 'last run (UTC)', 'took', 'next run', 'what it does'], rows),
    ...troubles,
  ].join('\n');
}

/** As `2026-01-02 03:04` */
function toMinute(iso: string): string {
  return iso.slice(0, 16).replace('T', ' ');
}
