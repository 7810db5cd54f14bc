-- The queue of the mta. A message exists as long as one of its deliveries does.

create table messages (
  id              text        primary key,                 -- ZoneMTA's queue id
  message_id      bigint      not null unique,             -- the api's id
  organization_id bigint      not null,
  domain          text        not null,                    -- signed for
  envelope        text        not null,                    -- JSON; not jsonb, which refuses \u0000 in a header
  body            bytea       not null,                    -- without the root header block; empty when there are chunks
  chunks          integer     not null default 0,          -- of a long body, in message_chunks
  recipients      integer     not null check (recipients > 0),
  created_at      timestamptz not null default now(),
  expires_at      timestamptz not null
);

-- Long bodies, written while they come in and read while they go out. Deleted with their message.
create table message_chunks (
  queue_id text    not null,
  number   integer not null,
  bytes    bytea   not null,
  primary key (queue_id, number)
);

-- Mail is rarely worth compressing: what is large in it is base64 of something that is compressed already.
alter table messages       alter column body  set storage external;
alter table message_chunks alter column bytes set storage external;

create sequence claim_ids;

create table deliveries (
  queue_id        text        not null references messages (id),
  sequence        text        not null,                    -- '001', hex, as ZoneMTA counts
  message_id      bigint      not null,
  zone            text        not null,
  organization_id bigint      not null,
  recipient       text        not null,
  domain          text        not null,                    -- of the recipient
  priority        smallint    not null default 5 check (priority between 0 and 9),
  tags            text[]      not null default '{}',
  due_at          timestamptz not null default now(),
  expires_at      timestamptz not null,
  attempts        integer     not null default 0,          -- counted at the claim
  deferrals       integer     not null default 0,
  last_response   text,
  claim_id        bigint,
  claimed_by      text,                                    -- instance id
  claimed_until   timestamptz,
  held_at         timestamptz,
  held_reason     text,
  paused_by       bigint,                                  -- the pause that it waits for
  created_at      timestamptz not null default now(),
  primary key (queue_id, sequence),
  check ((claim_id is null) = (claimed_until is null)),
  check ((held_at is null) = (held_reason is null))
);

-- A flow: what one organization sends to one destination at one priority, in the order it is due.
create index deliveries_flow    on deliveries (zone, organization_id, domain, priority, due_at)
                                where claim_id is null and held_at is null and paused_by is null;
create index deliveries_expired on deliveries (expires_at)    where claim_id is null;
create index deliveries_claimed on deliveries (claimed_until) where claim_id is not null;

-- Remembers what was taken in, so that a second hand-over of the same message queues nothing.
create table intakes (
  message_id  bigint      primary key,
  queue_id    text        not null,
  accepted_at timestamptz not null default now()
);
create index intakes_accepted_at on intakes using brin (accepted_at);

-- The outbox: what became of deliveries, until the api has it.
create table delivery_events (
  position      bigint      generated always as identity primary key,
  id            uuid        not null,
  event         text        not null,                      -- JSON, as it is sent
  parked_reason text,
  created_at    timestamptz not null default now()
);

-- What has gone through the queue since it was made, counted in the transactions that did it. One row a lane: processes
-- that commit at the same time do not wait for each other. accepted = the others + count(deliveries), always.
create table queue_counters (
  name  text   not null,                                   -- accepted, or the type of the event that ended a delivery
  lane  integer not null,
  value bigint not null,
  primary key (name, lane)
) with (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- Inserts and deletes are all that a queue does: vacuum early, by count rather than by share, and without pauses.
alter table messages        set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
alter table deliveries      set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0, fillfactor = 80);
alter table delivery_events set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
alter table message_chunks  set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
