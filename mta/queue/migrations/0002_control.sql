-- What operators do to the queue at run time.

-- A pause ends when its row goes; what it had marked (deliveries.paused_by) is then unmarked.
create table queue_pauses (
  id         bigint      generated always as identity primary key,
  selector   jsonb       not null,
  reason     text        not null check (reason <> ''),
  created_by text        not null,
  created_at timestamptz not null default now(),
  ends_at    timestamptz
);

create index deliveries_paused on deliveries (paused_by) where paused_by is not null;

-- Limits that were set at run time, in place of those of the settings.
create table destination_limits (
  destination     text             primary key,               -- a domain, or site:name
  connections     integer          not null check (connections > 0),
  rate_per_second double precision check (rate_per_second > 0),
  updated_at      timestamptz      not null default now()
);

-- Which provider takes a domain's mail, as deliveries have shown.
create table destination_sites (
  domain  text        primary key,
  site    text        not null,
  seen_at timestamptz not null default now()
);
create index destination_sites_site on destination_sites (site);

-- Every action, with how many deliveries it has changed so far; counted in the transactions that change them.
create table queue_actions (
  id          bigint      generated always as identity primary key,
  verb        text        not null,
  selector    jsonb       not null,
  parameters  jsonb       not null default '{}',
  reason      text,
  actor       text        not null,
  affected    bigint      not null default 0,
  created_at  timestamptz not null default now(),
  finished_at timestamptz                                     -- null: under way, or cut off
);
