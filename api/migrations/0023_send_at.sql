-- When a message is to go; null: at once. Messages are claimed by the job that waits until then, so no index is needed.
alter table messages add column send_at timestamptz;
