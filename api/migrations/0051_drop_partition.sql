-- The other end of create_message_partition: all that the partition holds goes at once. Objects of a move that never
-- ended are left for an hour: it may be under way. Locks the parents against everybody, for a moment.
create function drop_message_partition(dropped_id bigint) returns void language plpgsql as $$
declare
  parent text;
begin
  insert into object_removals (object_key, due_at)
  select object_key, case when stored_at is null then now() + interval '1 hour' else now() end
    from message_objects
   where message_id >= dropped_id
     and message_id < (select upper_id from message_partitions where lower_id = dropped_id)
      on conflict do nothing;
  foreach parent in array
          array['messages', 'message_sources', 'message_terms', 'message_objects', 'recipients', 'events'] loop
    execute format('drop table %I', format('%s_%s', parent, dropped_id));
  end loop;
  delete from message_partitions where lower_id = dropped_id;
end
$$;
