-- Who changed what. An entry commits with the change; nothing updates or deletes one.

create table audit_entries (
  id              bigint      generated always as identity primary key,
  organization_id bigint      not null references organizations,
  actor_kind      text        not null check (actor_kind in ('domain', 'organization', 'console')),
  actor_token_id  bigint      references api_tokens,
  action          text        not null check (action ~ '^[a-z_]+\.[a-z_]+$'),
  subject         text        not null,
  subject_id      bigint,
  details         jsonb       not null default '{}',
  request_id      text,
  address         text,
  created_at      timestamptz not null default now(),
  check ((actor_kind = 'console') = (actor_token_id is null))
);

create index audit_entries_organization on audit_entries (organization_id, id desc);
