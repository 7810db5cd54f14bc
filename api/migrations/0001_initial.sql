-- The app database: who sends, what was sent, and what became of it.

create table organizations (
  id           bigint      generated always as identity primary key,
  name         text        not null check (length(name) between 1 and 200),
  suspended_at timestamptz,
  created_at   timestamptz not null default now()
);

create table domains (
  id               bigint      generated always as identity primary key,
  organization_id  bigint      not null references organizations,
  name             text        not null unique check (name ~ '^[a-z0-9.-]{3,253}$'),
  label            text        not null default '' check (length(label) <= 200),
  dkim_verified_at timestamptz,
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now()
);

create index domains_organization on domains (organization_id);

-- A key signs from its activation to its retirement; its public record is answered for as long as it exists.
create table dkim_keys (
  id                 bigint      generated always as identity primary key,
  domain_id          bigint      not null references domains,
  selector           text        not null check (selector ~ '^[a-z0-9-]{1,63}$'),
  private_key_sealed bytea       not null,
  record             text        not null,
  activated_at       timestamptz,
  retired_at         timestamptz,
  created_at         timestamptz not null default now(),
  unique (domain_id, selector)
);

-- Only the SHA-256 of a token is kept: the token itself is shown once.
create table api_tokens (
  id              bigint      generated always as identity primary key,
  organization_id bigint      not null references organizations,
  domain_id       bigint      references domains,
  kind            text        not null check (kind in ('domain', 'organization')),
  name            text        not null default '' check (length(name) <= 200),
  digest          text        not null unique check (digest ~ '^[0-9a-f]{64}$'),
  created_at      timestamptz not null default now(),
  revoked_at      timestamptz,
  check ((kind = 'domain') = (domain_id is not null))
);

create index api_tokens_domain on api_tokens (domain_id);

create table messages (
  id              bigint      generated always as identity primary key,
  organization_id bigint      not null references organizations,
  domain_id       bigint      not null references domains,
  token_id        bigint      not null references api_tokens,
  source          text        not null check (source in ('http', 'smtp')),
  state           text        not null default 'queued'
                  check (state in ('queued', 'deferred', 'held', 'cancelled', 'suppressed', 'expired', 'delivered',
                                   'spam', 'bounced')),
  envelope_from   text        not null,
  from_header     text        not null,
  subject         text,
  message_id      text        not null,
  tags            text[]      not null default '{}',
  size_bytes      bigint      not null,
  submission_id   text        unique,
  handed_over_at  timestamptz,
  created_at      timestamptz not null default now(),
  updated_at      timestamptz not null default now()
);

create index messages_domain on messages (domain_id, id desc);
create index messages_waiting on messages (created_at) where handed_over_at is null and state = 'queued';

-- Mail is base64 for the most part: compressing it costs more than it saves.
create table message_sources (
  message_id bigint primary key references messages on delete cascade,
  content    bytea  not null
);

alter table message_sources alter column content set storage external;

create table recipients (
  id            bigint      generated always as identity primary key,
  message_id    bigint      not null references messages on delete cascade,
  address       text        not null,
  kind          text        not null check (kind in ('to', 'cc', 'bcc')),
  state         text        not null default 'queued'
                check (state in ('queued', 'deferred', 'held', 'cancelled', 'suppressed', 'expired', 'delivered',
                                 'spam', 'bounced')),
  attempts      integer     not null default 0,
  response      text,
  response_code integer,
  enhanced_code text,
  category      text,
  mx            text,
  state_at      timestamptz not null default now(),
  unique (message_id, address)
);

create index recipients_address on recipients (address, message_id desc);

-- Append-only: the timeline. The id is the sender's, so that a batch that comes twice is kept once.
create table events (
  position    bigint      generated always as identity primary key,
  id          uuid        not null unique,
  message_id  bigint      not null references messages on delete cascade,
  recipient   text,
  type        text        not null,
  occurred_at timestamptz not null,
  data        jsonb       not null default '{}',
  created_at  timestamptz not null default now()
);

create index events_message on events (message_id, occurred_at, position);
