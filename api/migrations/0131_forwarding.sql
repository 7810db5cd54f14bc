-- Inbound routes that forward to another address (in destination), and the messages by which they do.
alter table inbound_routes drop constraint inbound_routes_target_check;
alter table inbound_routes add constraint inbound_routes_target_check
  check (target in ('http', 'smtp', 'forward', 'store'));

-- Who has agreed to be forwarded to, by a code that was sent there.
create table forward_addresses (
  id              bigint      generated always as identity primary key,
  organization_id bigint      not null references organizations,
  -- Lower case
  address         text        not null check (length(address) <= 320),
  -- SHA-256 of the code that was sent last, hex
  code_digest     text        not null check (code_digest ~ '^[0-9a-f]{64}$'),
  failures        integer     not null default 0,
  requested_at    timestamptz not null default now(),
  confirmed_at    timestamptz,
  constraint forward_addresses_once unique (organization_id, address)
);

-- The message by which it was forwarded
alter table inbound_messages add column forward_id bigint;
create index inbound_messages_forward on inbound_messages (forward_id) where forward_id is not null;

-- A forwarded message is nobody's submission: it has no token.
alter table messages alter column token_id drop not null;

-- The check has another name where the table was made anew, and stays in partitions that were attached with their own.
do $$
declare
  stale record;
begin
  loop
    select con.conrelid::regclass as part, con.conname into stale
      from pg_constraint con
     where con.contype = 'c' and con.coninhcount = 0 and pg_get_constraintdef(con.oid) like '%source%http%'
       and (con.conrelid = 'messages'::regclass
            or con.conrelid in (select inhrelid from pg_inherits where inhparent = 'messages'::regclass))
     order by con.conrelid <> 'messages'::regclass
     limit 1;
    exit when not found;
    execute format('alter table %s drop constraint %I', stale.part, stale.conname);
  end loop;
end
$$;

alter table messages add constraint messages_source_check check (source in ('http', 'smtp', 'forward')) not valid;
