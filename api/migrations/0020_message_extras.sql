-- What a message carries beside the public contract: its stream, the application's own data, the time it was asked for.
alter table messages
  add column stream   text        not null default 'transactional' check (stream in ('transactional', 'bulk')),
  add column metadata jsonb       not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  add column send_at  timestamptz;
