-- The abuse guard: what became of each organization's mail, and what follows from it.

alter table organizations
  add column contact           text,        -- whom the installation tells by mail of what it does to the organization
  add column suspension_kind   text check (suspension_kind in ('operator', 'abuse', 'no_plan')),
  add column suspension_reason text,
  add column throttled_at      timestamptz,
  add column throttled_to      integer check (throttled_to > 0), -- messages per minute; null: not throttled
  add column throttle_reason   text,
  add column outcomes_count_from timestamptz; -- what was before is forgiven

update organizations set suspension_kind = 'operator' where suspended_at is not null;

alter table organizations
  add constraint organizations_suspension_check check ((suspended_at is null) = (suspension_kind is null)),
  add constraint organizations_throttle_check   check ((throttled_at is null) = (throttled_to is null));

-- Only ever inserted into, a row a batch of events, so that nobody waits for anybody; folded into minutes afterwards.
create table sending_outcomes (
  organization_id bigint      not null references organizations on delete cascade,
  counted_at      timestamptz not null default now(),
  is_folded       boolean     not null default false,
  delivered       integer     not null,
  bounced         integer     not null,
  spam            integer     not null,
  complained      integer     not null
);

create index sending_outcomes_organization on sending_outcomes (organization_id, counted_at);
create index sending_outcomes_unfolded on sending_outcomes (counted_at) where not is_folded;

alter table audit_entries
  drop constraint audit_entries_actor_kind_check,
  add constraint audit_entries_actor_kind_check
      check (actor_kind in ('domain', 'organization', 'operator', 'console', 'guard')),
  drop constraint audit_entries_check,
  add constraint audit_entries_token_check check ((actor_kind in ('console', 'guard')) = (actor_token_id is null));
