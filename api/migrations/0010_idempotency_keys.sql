-- What a request with an Idempotency-Key was answered, for 24 hours. The row commits together with the message, so it
-- is there exactly when the message is.
create table idempotency_keys (
  token_id    bigint      not null references api_tokens,
  key         text        not null check (length(key) between 1 and 255),
  fingerprint bytea       not null,
  status      integer     not null,
  body        text        not null,
  created_at  timestamptz not null default now(),
  primary key (token_id, key)
);

create index idempotency_keys_age on idempotency_keys (created_at);
