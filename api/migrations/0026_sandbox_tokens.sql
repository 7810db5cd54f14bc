-- A sandbox token's mail is accepted, and its outcome is played: it never leaves the machine.
alter table api_tokens add column is_sandbox boolean not null default false,
                       add constraint api_tokens_sandbox_check check (not is_sandbox or kind = 'domain');
alter table messages add column is_sandbox boolean not null default false;
