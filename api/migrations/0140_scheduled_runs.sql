-- What became of each job of the schedule the last time. One that runs, or died, has started after it finished.
create table scheduled_runs (
  job           text             primary key,
  started_at    timestamptz      not null,
  finished_at   timestamptz,
  succeeded_at  timestamptz,
  failing_since timestamptz,
  seconds       double precision,
  detail        text             not null default ''
);
