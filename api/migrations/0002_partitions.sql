-- Messages and what hangs on them, in partitions by the message's id, which grows with time: old mail goes by dropping
-- tables, and what is read and written every day stays small.
--
-- The ids of one row of message_partitions lie in one partition of each of the four tables. Whatever has none, because
-- nobody made it in time, goes to the default partitions: no insert fails for want of a partition.
--
-- The statement that writes a message writes all of it, events are added under the message's lock, and only the purge
-- deletes: there are no foreign keys between the four.

alter table messages        rename to old_messages;
alter table message_sources rename to old_message_sources;
alter table recipients      rename to old_recipients;
alter table events          rename to old_events;

alter sequence messages_id_seq     rename to old_messages_id_seq;
alter sequence recipients_id_seq   rename to old_recipients_id_seq;
alter sequence events_position_seq rename to old_events_position_seq;

create table messages (
  id              bigint      generated always as identity,
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
  handed_over_at  timestamptz,
  created_at      timestamptz not null default now(),
  updated_at      timestamptz not null default now(),
  constraint messages_key primary key (id)
) partition by range (id);

create table message_sources (
  message_id bigint not null,
  content    bytea  not null,
  constraint message_sources_key primary key (message_id)
) partition by range (message_id);

alter table message_sources alter column content set storage external;

-- domain_id is the message's, for the search by address.
create table recipients (
  id            bigint      generated always as identity,
  message_id    bigint      not null,
  domain_id     bigint      not null,
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
  constraint recipients_key primary key (message_id, address)
) partition by range (message_id);

create table events (
  position    bigint      generated always as identity,
  id          uuid        not null,
  message_id  bigint      not null,
  recipient   text,
  type        text        not null,
  occurred_at timestamptz not null,
  data        jsonb       not null default '{}',
  created_at  timestamptz not null default now(),
  constraint events_key primary key (message_id, id)
) partition by range (message_id);

-- Which message a submission of the gateway became: the same id is the same message (DU-10). A table of its own, since
-- a partitioned one cannot keep an id unique that is not part of its key.
create table submissions (
  id         text        primary key,
  token_id   bigint      not null,
  message_id bigint      not null,
  created_at timestamptz not null default now()
);

create index submissions_age on submissions (created_at);

create table message_partitions (
  lower_id   bigint      primary key,
  upper_id   bigint      not null check (upper_id > lower_id),
  created_at timestamptz not null default now()
);

-- Adds the partitions for lower_id <= id < upper_id. Each is made apart and then attached, which locks the parent
-- against nothing but other changes of its shape, and the default partition for as long as it takes to see that it
-- holds none of these ids.
create function create_message_partition(lower_id bigint, upper_id bigint) returns void language plpgsql as $$
declare
  parent text;
  child  text;
begin
  insert into message_partitions (lower_id, upper_id) values (lower_id, upper_id);
  foreach parent in array array['messages', 'message_sources', 'recipients', 'events'] loop
    child := format('%s_%s', parent, lower_id);
    execute format('create table %I (like %I including defaults including constraints including storage)', child, parent);
    execute format('alter table %I attach partition %I for values from (%s) to (%s)', parent, child, lower_id, upper_id);
  end loop;
end
$$;

create table messages_default        partition of messages        default;
create table message_sources_default partition of message_sources default;
create table recipients_default      partition of recipients      default;
create table events_default          partition of events          default;

-- Room for the first million, and enough for all the rest that is there already.
select create_message_partition(million * 1000000, (million + 1) * 1000000)
  from generate_series(0, (select coalesce(max(id), 0) / 1000000 + 1 from old_messages)) as million;

insert into messages (id, organization_id, domain_id, token_id, source, state, envelope_from, from_header, subject,
                      message_id, tags, size_bytes, handed_over_at, created_at, updated_at)
     overriding system value
     select id, organization_id, domain_id, token_id, source, state, envelope_from, from_header, subject,
            message_id, tags, size_bytes, handed_over_at, created_at, updated_at
       from old_messages;

insert into submissions (id, token_id, message_id, created_at)
     select submission_id, token_id, id, created_at from old_messages where submission_id is not null;

insert into message_sources (message_id, content) select message_id, content from old_message_sources;

insert into recipients (id, message_id, domain_id, address, kind, state, attempts, response, response_code,
                        enhanced_code, category, mx, state_at)
     overriding system value
     select recipient.id, message.id, domain_id, address, kind, recipient.state, attempts, response, response_code,
            enhanced_code, category, mx, state_at
       from old_recipients recipient
       join old_messages message on message.id = recipient.message_id;

insert into events (position, id, message_id, recipient, type, occurred_at, data, created_at)
     overriding system value
     select position, id, message_id, recipient, type, occurred_at, data, created_at from old_events;

-- No id comes twice, not even that of a message which is gone.
select setval(pg_get_serial_sequence('messages', 'id'), last_value, is_called)
  from old_messages_id_seq;
select setval(pg_get_serial_sequence('recipients', 'id'), last_value, is_called)
  from old_recipients_id_seq;
select setval(pg_get_serial_sequence('events', 'position'), last_value, is_called)
  from old_events_position_seq;

drop table old_events, old_recipients, old_message_sources, old_messages;

create index messages_domain    on messages   (domain_id, id desc);
create index messages_waiting   on messages   (created_at) where handed_over_at is null and state = 'queued';
create index recipients_address on recipients (domain_id, lower(address) text_pattern_ops, message_id desc);
