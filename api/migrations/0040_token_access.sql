-- What a token may do (null scopes: all that its kind can), from where (no networks: from anywhere), and until when.
-- Operators have tokens too: they belong to no organization.

alter table api_tokens
  add column scopes           text[],
  add column allowed_networks text[]      not null default '{}',
  add column expires_at       timestamptz,
  add column last_used_at     timestamptz,
  alter column organization_id drop not null,
  drop constraint api_tokens_kind_check,
  add constraint api_tokens_kind_check check (kind in ('domain', 'organization', 'operator')),
  add constraint api_tokens_owner_check check ((kind = 'operator') = (organization_id is null)),
  add constraint api_tokens_scopes_check check (scopes <> '{}');

create index api_tokens_organization on api_tokens (organization_id);
