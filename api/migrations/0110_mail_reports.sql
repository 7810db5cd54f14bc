-- Mails that told of other mails, each once: what a repetition of it is answered, and what was ignored and why.
create table mail_reports (
  digest     text        primary key check (digest ~ '^[0-9a-f]{64}$'),
  kind       text        not null check (kind in ('bounce', 'complaint')),
  outcome    text        not null,
  message_id bigint,
  created_at timestamptz not null default now()
);

create index mail_reports_age on mail_reports (created_at);
