-- Every change of a site's pace, with what caused it: a bounce class, or `clean`.
create table pace_changes (
  id                 bigint           generated always as identity primary key,
  instance_id        text             not null,
  site               text             not null,
  trigger            text             not null,
  concurrency_before double precision not null,
  concurrency        double precision not null,
  rate_before        double precision not null,
  rate               double precision not null,
  changed_at         timestamptz      not null
);
create index pace_changes_changed_at on pace_changes (changed_at);
create index pace_changes_site on pace_changes (site, id);
