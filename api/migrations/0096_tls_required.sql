-- Mail that leaves over TLS with a certificate that holds, or not at all: of a message, a domain, an organization.
alter table messages      add column requires_tls boolean not null default false;
alter table domains       add column requires_tls boolean not null default false;
alter table organizations add column requires_tls boolean not null default false;
