-- Block and allow lists that come as CSV. The file lies in parts, as it came, until the worker has read all of it.
create table suppression_imports (
  id              bigint      generated always as identity primary key,
  organization_id bigint      not null references organizations,
  -- What a line that names no domain holds for; null: every domain of the organization.
  domain_id       bigint      references domains,
  state           text        not null default 'receiving'
                  check (state in ('receiving', 'running', 'finished', 'failed')),
  bytes           bigint      not null default 0,
  -- Read so far, without the first: what was committed of them commits with this number.
  lines           integer     not null default 0,
  added           integer     not null default 0,
  changed         integer     not null default 0,
  refused         integer     not null default 0,
  problems        jsonb       not null default '[]',
  created_at      timestamptz not null default now(),
  finished_at     timestamptz,
  check ((finished_at is null) = (state in ('receiving', 'running')))
);

create index suppression_imports_organization on suppression_imports (organization_id, id desc);

create table suppression_import_parts (
  import_id bigint  not null references suppression_imports on delete cascade,
  number    integer not null,
  content   bytea   not null,
  primary key (import_id, number)
);
