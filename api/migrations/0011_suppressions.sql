-- Whom nothing is sent to any more (list block), and whom it is always sent to (list allow). Without a domain the row
-- holds for every domain of the organization. Addresses are compared without regard to case.
create table suppressions (
  id              bigint      generated always as identity primary key,
  organization_id bigint      not null references organizations,
  domain_id       bigint      references domains,
  list            text        not null default 'block' check (list in ('block', 'allow')),
  address         text        not null check (length(address) between 3 and 320),
  stream          text        not null default 'all' check (stream in ('all', 'transactional', 'bulk')),
  reason          text        not null
                  check (reason in ('bounced', 'complained', 'unsubscribed', 'manual', 'imported')),
  note            text        check (length(note) <= 1000),
  -- The message whose bounce it was; it may be purged before the row.
  message_id      bigint,
  expires_at      timestamptz,
  created_at      timestamptz not null default now(),
  unique nulls not distinct (organization_id, address, domain_id, list, stream)
);

create index suppressions_organization on suppressions (organization_id, id desc);
create index suppressions_domain       on suppressions (domain_id, id desc);
create index suppressions_expiry       on suppressions (expires_at) where expires_at is not null;
