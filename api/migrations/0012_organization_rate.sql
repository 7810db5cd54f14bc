-- Of one organization; where nothing is said, the setting limits.organizationMessagesPerMinute holds.
alter table organizations
  add column messages_per_minute integer check (messages_per_minute > 0);
