-- Mail to postmaster and abuse: when an operator has dealt with it.
alter table inbound_messages add column seen_at timestamptz;
create index inbound_messages_operator on inbound_messages (id desc) where purpose is not null;
