-- What a token may do (null scopes: all that its kind can), from where (no networks: from anywhere), and until when.

alter table api_tokens
  add column scopes           text[],
  add column allowed_networks text[]      not null default '{}',
  add column expires_at       timestamptz,
  add column last_used_at     timestamptz,
  add constraint api_tokens_scopes_check check (scopes <> '{}');

create index api_tokens_organization on api_tokens (organization_id);
