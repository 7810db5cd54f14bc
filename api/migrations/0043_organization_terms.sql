-- What an organization may have, and how long its mail is kept. A null limit: none.
-- Operators have tokens too: they belong to no organization, and what they do may be about none.

alter table organizations
  add column retention_days integer not null default 30 check (retention_days between 1 and 3650),
  add column max_domains    integer check (max_domains >= 0);

alter table api_tokens
  alter column organization_id drop not null,
  drop constraint api_tokens_kind_check,
  add constraint api_tokens_kind_check check (kind in ('domain', 'organization', 'operator')),
  add constraint api_tokens_owner_check check ((kind = 'operator') = (organization_id is null));

alter table audit_entries
  alter column organization_id drop not null,
  drop constraint audit_entries_actor_kind_check,
  add constraint audit_entries_actor_kind_check
      check (actor_kind in ('domain', 'organization', 'operator', 'console'));
