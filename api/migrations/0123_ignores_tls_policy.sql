-- Reports of TLS are delivered whatever is wrong with the recipient's TLS (RFC 8460 5.3).
alter table messages add column ignores_tls_policy boolean not null default false;
