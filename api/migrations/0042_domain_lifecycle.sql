-- A deleted domain keeps its row, because its mail refers to it; its name is free again.
-- Advanced verification: its return path was seen in the DNS.

alter table domains
  add column return_path_verified_at timestamptz,
  add column deleted_at              timestamptz,
  drop constraint domains_name_key;

create unique index domains_name on domains (name) where deleted_at is null;

create index messages_under_way on messages (domain_id) where state in ('queued', 'deferred', 'held');
