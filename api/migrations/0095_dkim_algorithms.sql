-- A domain may sign with a key of each algorithm (RFC 8463 3): both are rotated by themselves.
alter table dkim_keys
  add column algorithm text not null default 'rsa-sha256' check (algorithm in ('rsa-sha256', 'ed25519-sha256'));
