-- Delivery status notifications (RFC 3464) to envelope senders, for mail submitted by SMTP, where an organization asks for them.

alter table organizations
  add column bounce_mail boolean not null default false;

-- What is to be told of, or was: one row a recipient and kind, so each is told of once. Written with the event.
create table delivery_reports (
  message_id  bigint      not null,
  recipient   text        not null,
  kind        text        not null check (kind in ('failed', 'delayed')),
  accepted_at timestamptz not null, -- of the message
  reported_at timestamptz,
  created_at  timestamptz not null default now(),
  primary key (message_id, recipient, kind)
);

create index delivery_reports_due on delivery_reports (kind, accepted_at) where reported_at is null;
