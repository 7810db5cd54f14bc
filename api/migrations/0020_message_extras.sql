-- What a message carries beside the public contract: its stream, and the application's own data.
alter table messages
  add column stream   text        not null default 'transactional' check (stream in ('transactional', 'bulk')),
  add column metadata jsonb       not null default '{}' check (jsonb_typeof(metadata) = 'object');
