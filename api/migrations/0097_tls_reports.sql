-- A report of TLS (RFC 8460) that was sent: each day of a domain once.
create table tls_reports (
  domain     text        not null,
  day        date        not null,
  outcomes   jsonb       not null,
  created_at timestamptz not null default now(),
  primary key (domain, day)
);
