-- Checks for spam (plugins/spam): scores of an organization's own, what was found, and what somebody has to look at.
alter table organizations
  add column spam_mark_score   real,
  add column spam_hold_score   real,
  add column spam_refuse_score real;

alter table messages
  add column spam        jsonb, -- {score, action, symbols: [{name, score}]}; null: not checked
  add column spam_review text check (spam_review in ('pending', 'released', 'refused'));

create index messages_in_review on messages (id) where spam_review = 'pending';
