-- Texts that applications fill in: of one domain, or (without a domain) of all domains of the organization.
create table templates (
  id              bigint      generated always as identity primary key,
  organization_id bigint      not null references organizations,
  domain_id       bigint      references domains,
  name            text        not null check (name ~ '^[a-z0-9][a-z0-9._-]{0,99}$' and name ~ '[^0-9]'),
  subject         text,
  htmlbody        text,
  textbody        text,
  created_at      timestamptz not null default now(),
  updated_at      timestamptz not null default now(),
  unique nulls not distinct (organization_id, domain_id, name),
  constraint templates_body check (htmlbody is not null or textbody is not null)
);
