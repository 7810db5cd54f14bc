-- The queue of the mta. A message exists as long as one of its deliveries does.

create table messages (
  id              text        primary key,                 -- ZoneMTA's queue id
  message_id      bigint      not null unique,             -- the api's id
  organization_id bigint      not null,
  domain          text        not null,                    -- signed for
  envelope        text        not null,                    -- JSON; not jsonb, which refuses \u0000 in a header
  body            bytea       not null,                    -- without the root header block
  created_at      timestamptz not null default now(),
  expires_at      timestamptz not null
);
alter table messages alter column body set storage external; -- mail is rarely worth compressing twice

create table deliveries (
  queue_id      text        not null references messages (id),
  sequence      text        not null,                      -- '001', hex, as ZoneMTA counts
  zone          text        not null,
  recipient     text        not null,
  domain        text        not null,                      -- of the recipient
  due_at        timestamptz not null default now(),
  expires_at    timestamptz not null,
  attempts      integer     not null default 0,            -- counted at the claim
  deferrals     integer     not null default 0,
  last_response text,
  claim_id      bigint,
  claimed_by    text,                                      -- instance id
  claimed_until timestamptz,
  held_at       timestamptz,
  held_reason   text,
  created_at    timestamptz not null default now(),
  primary key (queue_id, sequence),
  check ((claim_id is null) = (claimed_until is null)),
  check ((held_at is null) = (held_reason is null))
);
create sequence claim_ids;

create index deliveries_due     on deliveries (zone, due_at) where claim_id is null and held_at is null;
create index deliveries_expired on deliveries (expires_at) where claim_id is null;
create index deliveries_claimed on deliveries (claimed_until) where claim_id is not null;

-- Deletes and updates are most of what a queue does: vacuum early, keep room for updates on the page.
alter table deliveries set (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
alter table messages   set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

-- Remembers what was taken in, so that a second hand-over of the same message queues nothing.
create table intakes (
  message_id  bigint      primary key,
  queue_id    text        not null,
  accepted_at timestamptz not null default now()
);
create index intakes_accepted_at on intakes (accepted_at);

-- The outbox: what became of deliveries, until the api has it.
create table delivery_events (
  position      bigint      generated always as identity primary key,
  id            uuid        not null unique,
  event         jsonb       not null,
  parked_reason text,
  created_at    timestamptz not null default now()
);
create index delivery_events_unshipped on delivery_events (position) where parked_reason is null;
alter table delivery_events set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
