-- Webhooks: where a customer wants to hear of what, and what is still to be told.

-- Signs the webhooks of a domain (Ed25519, PKCS#8). One key for good, or two while the second replaces the first:
-- then the first has a moment at which it goes.
create table webhook_keys (
  id                 bigint      generated always as identity primary key,
  domain_id          bigint      not null references domains,
  public_key         text        not null,
  private_key_sealed bytea       not null,
  retires_at         timestamptz,
  created_at         timestamptz not null default now()
);

create index webhook_keys_domain on webhook_keys (domain_id, id);

-- A deleted one stays as a row, for the sake of what was delivered to it.
create table webhooks (
  id                     bigint      generated always as identity primary key,
  domain_id              bigint      not null references domains,
  url                    text        not null check (length(url) between 1 and 2048),
  events                 text[]      not null,
  description            text        not null default '' check (length(description) <= 200),
  notify                 text,
  secret_sealed          bytea       not null,
  old_secret_sealed      bytea,
  old_secret_retires_at  timestamptz,
  disabled_at            timestamptz,
  disabled_reason        text        check (disabled_reason in ('owner', 'gone')),
  paused_until           timestamptz,
  failures               integer     not null default 0,
  first_failure_at       timestamptz,
  failing_at             timestamptz,
  deleted_at             timestamptz,
  created_at             timestamptz not null default now(),
  updated_at             timestamptz not null default now(),
  check ((disabled_at is null) = (disabled_reason is null))
);

create index webhooks_domain on webhooks (domain_id) where deleted_at is null;

-- The outbox: one row an event and endpoint, written in the transaction of the event itself. No foreign keys: the
-- intake shall not lock the one row of a busy endpoint, and a message may be purged before what was said of it.
-- A claim moves next_attempt_at on by the time it is good for; an attempt that ends sets it anew.
create table webhook_deliveries (
  position        bigint      generated always as identity primary key,
  id              uuid        not null unique default gen_random_uuid(),
  webhook_id      bigint      not null,
  message_id      bigint,
  event           text        not null,
  data            jsonb       not null,
  occurred_at     timestamptz not null,
  state           text        not null default 'pending' check (state in ('pending', 'delivered', 'dead')),
  attempts        integer     not null default 0,
  next_attempt_at timestamptz not null default now(),
  claim           uuid,
  finished_at     timestamptz,
  created_at      timestamptz not null default now()
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

create index webhook_deliveries_due     on webhook_deliveries (webhook_id, next_attempt_at) where state = 'pending';
create index webhook_deliveries_chain   on webhook_deliveries (webhook_id, message_id, position) where state = 'pending';
create index webhook_deliveries_message on webhook_deliveries (message_id);
create index webhook_deliveries_recent  on webhook_deliveries (webhook_id, position desc);
create index webhook_deliveries_age     on webhook_deliveries using brin (created_at);

create table webhook_attempts (
  id          bigint      generated always as identity primary key,
  position    bigint      not null references webhook_deliveries on delete cascade,
  started_at  timestamptz not null,
  duration_ms integer     not null,
  outcome     text        not null,
  status      integer,
  response    text
);

create index webhook_attempts_delivery on webhook_attempts (position);
