-- Where mail leaves from is chosen before it is handed out: by what it is, and by where it was greylisted.
alter table deliveries
  add column sender_domain  text,                          -- signed for; null: of before this column
  add column stream         text,                          -- null: transactional
  add column pinned_address text;                          -- the site has seen it from there, and asked it to come back

-- A pace is one address' at one site.
alter table pace_changes add column address text not null default '';

-- What instances of one queue keep to together has names in Redis that begin with this.
create table queue_identity (
  id text primary key
);
insert into queue_identity values (left(replace(gen_random_uuid()::text, '-', ''), 12));
