-- DMARC and TLS reports of others about our domains. One that could not be read is kept with the reason, of no domain.
create table domain_reports (
  id                    bigint      generated always as identity primary key,
  digest                text        not null unique check (digest ~ '^[0-9a-f]{64}$'),
  domain_id             bigint      references domains,
  kind                  text        not null check (kind in ('dmarc', 'tls')),
  state                 text        not null check (state in ('read', 'rejected')),
  reason                text,
  reporter              text,
  report_id             text,
  authenticated_domains text[]      not null default '{}',
  began_at              timestamptz,
  ended_at              timestamptz,
  received_at           timestamptz not null,
  check ((state = 'rejected') = (reason is not null)),
  check (state = 'rejected' or (domain_id is not null and began_at is not null))
);

-- Some send a report again when they are not sure that it arrived.
create unique index domain_reports_once on domain_reports (domain_id, kind, reporter, report_id) where state = 'read';
create index domain_reports_age on domain_reports (received_at);

-- Summed within its report: one row a source and result.
create table domain_report_rows (
  report_id bigint  not null references domain_reports on delete cascade,
  domain_id bigint  not null references domains,
  kind      text    not null check (kind in ('dmarc', 'tls')),
  day       date    not null,
  source    text    not null,
  result    text    not null,
  is_passed boolean not null,
  messages  bigint  not null,
  primary key (report_id, source, result, is_passed)
);

create index domain_report_rows_day on domain_report_rows (domain_id, kind, day desc);
