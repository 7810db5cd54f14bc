-- Mail that comes in: where a domain's mail goes, and the mail itself.

-- A deleted route stays as a row, for the sake of what came by it.
create table inbound_routes (
  id                bigint      generated always as identity primary key,
  organization_id   bigint      not null references organizations,
  domain_id         bigint      not null references domains,
  -- The domain's name or a name below it
  hostname          text        not null check (hostname ~ '^[a-z0-9.-]{3,253}$'),
  kind              text        not null check (kind in ('exact', 'pattern', 'catch_all')),
  -- The local part, lower case; of a pattern with * for anything; empty of a catch-all
  local_part        text        not null default '' check (length(local_part) <= 64),
  subaddressing     boolean     not null default true,
  target            text        not null check (target in ('http', 'store')),
  -- An URL without user and password; empty of storage
  destination       text        not null default '' check (length(destination) <= 2048),
  basic_auth_sealed bytea,
  description       text        not null default '' check (length(description) <= 200),
  dmarc             text        not null default 'honour' check (dmarc in ('honour', 'mark')),
  spam_refuse_score real        not null default 15,
  disabled_at       timestamptz,
  deleted_at        timestamptz,
  created_at        timestamptz not null default now(),
  updated_at        timestamptz not null default now(),
  check ((kind = 'catch_all') = (local_part = '')),
  check ((target = 'store') = (destination = ''))
);

create unique index inbound_routes_address on inbound_routes (hostname, kind, local_part) where deleted_at is null;
create index inbound_routes_domain on inbound_routes (domain_id) where deleted_at is null;

-- What came in, byte for byte, with the trace fields of our own: once, however many recipients it had.
create table inbound_sources (
  id         bigint      generated always as identity primary key,
  content    bytea       not null,
  created_at timestamptz not null default now()
);

alter table inbound_sources alter column content set storage external;

-- One row a message and recipient. Without a route: ours (postmaster, abuse), which operators read.
create table inbound_messages (
  id               bigint      generated always as identity primary key,
  organization_id  bigint      references organizations,
  domain_id        bigint      references domains,
  route_id         bigint      references inbound_routes,
  purpose          text        check (purpose in ('postmaster', 'abuse')),
  source_id        bigint      not null references inbound_sources,
  digest           text        not null check (digest ~ '^[0-9a-f]{64}$'),
  envelope_from    text        not null,
  recipient        text        not null,
  from_header      text        not null,
  subject          text,
  message_id       text,
  size_bytes       bigint      not null,
  client           jsonb       not null,
  authentication   jsonb       not null,
  spam             jsonb,
  virus            text,
  -- stored: kept to be fetched; queued: its target does not have it yet; failed: its target will not have it
  state            text        not null check (state in ('stored', 'queued', 'retrying', 'delivered', 'failed')),
  reason           text,
  -- The sent message that it is a reply to
  reply_to_id      bigint,
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  constraint inbound_messages_once unique (digest, recipient),
  check ((route_id is null) = (purpose is not null)),
  check ((route_id is null) = (domain_id is null)),
  check ((domain_id is null) = (organization_id is null))
);

create index inbound_messages_domain       on inbound_messages (domain_id, id desc);
create index inbound_messages_organization on inbound_messages (organization_id, id desc);
create index inbound_messages_recent       on inbound_messages (domain_id, created_at);
create index inbound_messages_source       on inbound_messages (source_id);

-- The endpoint of a route with target http. What it is sent is no event but a message that came in; claims, attempts and
-- the state of the endpoint are as those of all webhooks.
alter table webhooks           add column inbound_route_id   bigint unique references inbound_routes;
alter table webhook_deliveries add column inbound_message_id bigint;
