-- What messages are searched by.

-- Words of the subject, tags, metadata, the Message-ID, each as a term that begins with the id of the domain
-- (models/search-term.ts). Apart from messages because it never changes, and messages do: a change of state would
-- write each term into the index again.
create table message_terms (
  message_id bigint not null,
  terms      text[] not null,
  constraint message_terms_key primary key (message_id)
) partition by range (message_id);

create table message_terms_default partition of message_terms default;

-- As in 0002, and with message_terms. A recipient changes state several times: with room left on its page, that touches
-- no index.
create or replace function create_message_partition(lower_id bigint, upper_id bigint) returns void language plpgsql as $$
declare
  parent text;
  child  text;
begin
  insert into message_partitions (lower_id, upper_id) values (lower_id, upper_id);
  foreach parent in array array['messages', 'message_sources', 'message_terms', 'recipients', 'events'] loop
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
    execute format('create table %I partition of message_terms for values from (%s) to (%s)',
                   'message_terms_' || partition.lower_id, partition.lower_id, partition.upper_id);
    execute format('alter table %I set (fillfactor = 70)', 'recipients_' || partition.lower_id);
  end loop;
end
$$;

insert into message_terms (message_id, terms)
     select id,
            array(select domain_id || 'w:' || word
                    from regexp_split_to_table(lower(coalesce(subject, '')), '[^[:alnum:]]+') as word
                   where word <> '' and length(word) <= 64)
            || array(select domain_id || 't:' || tag from unnest(tags) as tag where octet_length(tag) <= 200)
            || array(select domain_id || 'i:' || message_id where octet_length(message_id) <= 200)
       from messages;

-- No list waits to be merged: every message pays its own way, and none pays for a thousand others.
create index message_terms_terms on message_terms using gin (terms) with (fastupdate = off);

-- Most messages are delivered, and what people look for is the rest.
create index messages_unsettled on messages (domain_id, state, id desc) where state <> 'delivered';

-- The id from which on messages are as young as the moment, found by halving: ids grow with time. Two transactions
-- may get their ids in the other order than their times, so ask for a minute more than you want.
create function find_message_id_at(moment timestamptz) returns bigint language plpgsql stable as $$
declare
  low     bigint := 0;
  high    bigint := (select last_value + 1 from messages_id_seq);
  middle  bigint;
  is_old  boolean;
begin
  while low < high loop
    middle := low + (high - low) / 2;
    select created_at < moment into is_old from messages where id >= middle and id < high order by id limit 1;
    if is_old then
      low := middle + 1;
    else
      high := middle; -- also where there is no message any more
    end if;
  end loop;
  return low;
end
$$;
