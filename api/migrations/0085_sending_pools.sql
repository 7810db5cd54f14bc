-- Pools of local addresses, whose mail leaves from them, and what the health checks have found.

create table sending_pools (
  id         bigint      generated always as identity primary key,
  name       text        not null unique check (name ~ '^[a-z0-9][a-z0-9-]{0,39}$'),
  created_at timestamptz not null default now()
);

create table ip_addresses (
  id         bigint      generated always as identity primary key,
  pool_id    bigint      not null references sending_pools (id) on delete cascade,
  address    inet        not null unique check (masklen(address) = case family(address) when 4 then 32 else 128 end),
  helo       text        not null check (helo <> ''),
  findings   jsonb,                                        -- of the last health check, by its name
  checked_at timestamptz,
  created_at timestamptz not null default now()
);
create index ip_addresses_pool on ip_addresses (pool_id);

-- What is null is not asked for; of those that fit, the most specific one decides (lib/pools/choose.ts).
create table pool_assignments (
  id              bigint      generated always as identity primary key,
  pool_id         bigint      not null references sending_pools (id) on delete cascade,
  organization_id bigint      references organizations (id) on delete cascade,
  domain_id       bigint      references domains (id) on delete cascade,
  stream          text        check (stream in ('transactional', 'bulk')),
  created_at      timestamptz not null default now(),
  unique nulls not distinct (organization_id, domain_id, stream)
);
create index pool_assignments_pool on pool_assignments (pool_id);
