-- Whether each recipient gets a link of its own to unsubscribe from the message's stream (RFC 8058).
alter table messages add column has_unsubscribe_link boolean not null default false;
