-- Sources of messages that have ended move to object storage, where it is configured.

-- A row is written before the copy is made: there is no object that nobody knows of. Its stored_at is written when the
-- copy was verified, by the statement that deletes the source from message_sources.
create table message_objects (
  message_id bigint      not null,
  object_key text        not null,
  stored_at  timestamptz,
  constraint message_objects_key primary key (message_id)
) partition by range (message_id);

create table message_objects_default partition of message_objects default;

-- As in 0003, and with message_objects.
create or replace function create_message_partition(lower_id bigint, upper_id bigint) returns void language plpgsql as $$
declare
  parent text;
  child  text;
begin
  insert into message_partitions (lower_id, upper_id) values (lower_id, upper_id);
  foreach parent in array
          array['messages', 'message_sources', 'message_terms', 'message_objects', 'recipients', 'events'] loop
    child := format('%s_%s', parent, lower_id);
    execute format('create table %I (like %I including defaults including constraints including storage)', child, parent);
    if parent = 'recipients' then
      execute format('alter table %I set (fillfactor = 70)', child);
    end if;
    execute format('alter table %I attach partition %I for values from (%s) to (%s)', parent, child, lower_id, upper_id);
  end loop;
end
$$;

do $$
declare
  partition message_partitions;
begin
  for partition in select * from message_partitions loop
    execute format('create table %I partition of message_objects for values from (%s) to (%s)',
                   'message_objects_' || partition.lower_id, partition.lower_id, partition.upper_id);
  end loop;
end
$$;

-- Objects of messages that were purged. The row goes when the object is gone: deleting may be tried again and again, and
-- the purge needs no storage that answers.
create table object_removals (
  object_key text        primary key,
  due_at     timestamptz not null default now()
);

create index object_removals_due on object_removals (due_at);
