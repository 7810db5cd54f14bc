-- The mail of three months, as applications would have sent it. Everything drawn by lot comes from one seed: two fills of
-- one size hold the same mail.

create schema bench;

create table bench.domains (
  position        bigint generated always as identity primary key,
  domain_id       bigint not null,
  organization_id bigint not null,
  token_id        bigint not null,
  name            text   not null
);

-- Domains in turn to the organizations, each with a token whose name says whose it is.
create procedure bench.create_senders(organizations int, domains int) language sql as $$
  insert into organizations (name)
  select format('bench %s', n) from generate_series(1, organizations) n;

  insert into api_tokens (organization_id, kind, digest)
  select id, 'organization', encode(sha256(convert_to('bench-organization-' || id, 'UTF8')), 'hex')
    from organizations where name like 'bench %';

  insert into domains (organization_id, name, dkim_verified_at)
  select organization.id, format('d%s.sender.example', n), now()
    from generate_series(1, domains) n
    join organizations organization on organization.name = format('bench %s', 1 + n % organizations)
   order by n;

  insert into api_tokens (organization_id, domain_id, kind, digest)
  select organization_id, id, 'domain', encode(sha256(convert_to('bench-domain-' || id, 'UTF8')), 'hex')
    from domains where name like 'd%.sender.example';

  insert into bench.domains (domain_id, organization_id, token_id, name)
  select domain.id, domain.organization_id, token.id, domain.name
    from domains domain
    join api_tokens token on token.domain_id = domain.id
   where domain.name like 'd%.sender.example'
   order by domain.id;
$$;

create unlogged table bench.batch (
  id         bigint,
  position   bigint,
  person     bigint,
  created_at timestamptz,
  state      text,
  subject    text,
  tags       text[],
  metadata   jsonb,
  stream     text,
  message_id text
);

-- What became of a message, by lot; what is still under way is of the last two days.
create function bench.draw_state(lot float8, age interval) returns text language sql immutable as $$
  select case when lot < 0.025                             then 'bounced'
              when lot < 0.035                             then 'suppressed'
              when lot < 0.037                             then 'expired'
              when lot < 0.038                             then 'spam'
              when lot < 0.0382                            then 'held'
              when lot < 0.06 and age < interval '2 days'  then 'deferred'
              when age < interval '1 minute'               then 'queued'
              else 'delivered' end
$$;

create function bench.draw_subject(lot float8, number bigint) returns text language sql immutable as $$
  select format((array['your order %s has shipped',      'your order %s is confirmed', 'invoice %s of this month',
                       'payment for invoice %s received', 'reset your password',        'welcome to the shop',
                       'your weekly report is ready',     'news of the week',           'ticket %s was answered',
                       'appointment %s is tomorrow',      'sign in from a new device',  'last days of the summer sale'
                      ])[1 + floor(lot * 12)::int], number)
$$;

-- The n-th person; whoever gets mail from several domains is the same person.
create function bench.address_of(person bigint) returns text language sql immutable as $$
  select format('%s.%s@%s',
                (array['ann', 'bo', 'chris', 'dana', 'eli', 'fran', 'gus', 'hana', 'ivo', 'joan'])[1 + person % 10],
                person,
                (array['gmail.example', 'outlook.example', 'yahoo.example', 'web.example', 'icloud.example',
                       'company' || person % 5000 || '.example'])[1 + person / 10 % 6])
$$;

-- Messages first to last, of total: of the domains the first has a sixth, the last a five-hundredth of that; a few
-- persons get thousands, most of them a handful. Time goes with the id, faster by night, when less is sent.
create procedure bench.write_messages(first bigint, last bigint, total bigint, persons bigint, days int)
language sql as $$
  truncate bench.batch;

  insert into bench.batch
  select id, position, floor(persons * lots[2] ^ 2)::bigint, created_at,
         bench.draw_state(lots[3], now() - created_at),
         bench.draw_subject(lots[4], id),
         case when lots[5] < 0.8 then array[(array['orders', 'billing', 'account', 'news'])[1 + floor(lots[5] * 5)::int]]
              else '{}' end,
         case when lots[5] < 0.6 then jsonb_build_object('order', id::text) else '{}' end,
         case when position % 5 = 0 then 'bulk' else 'transactional' end,
         format('<%s@sender.example>', gen_random_uuid())
    from (select id, lots, floor(lots[1] ^ 3 * (select count(*) from bench.domains))::bigint + 1 as position,
                 now() - make_interval(secs => days * 86400 * (1 - id::float8 / total)
                                             + 10000 * sin(2 * pi() * days * id::float8 / total)) as created_at
            from (select id, array[random(), random(), random(), random(), random()] as lots
                    from generate_series(first, last) id
                  offset 0) drawn) placed;

  insert into messages (id, organization_id, domain_id, token_id, source, state, envelope_from, from_header, subject,
                        message_id, tags, size_bytes, handed_over_at, created_at, updated_at, stream, metadata)
  overriding system value
  select id, organization_id, domain_id, token_id, 'http', state, 'shop@' || name, 'Shop <shop@' || name || '>',
         subject, message_id, tags, 4000 + id % 4000, created_at, created_at, created_at + interval '3 seconds',
         stream, metadata
    from bench.batch
    join bench.domains using (position);

  -- As api/models/search-term.ts has it; words of these subjects are lower case and stand once.
  insert into message_terms (message_id, terms)
  select id, array(select domain_id || 'w:' || word from unnest(string_to_array(subject, ' ')) word)
             || array(select domain_id || 't:' || tag from unnest(tags) tag)
             || array(select domain_id || 'm:' || key || '=' || value from jsonb_each_text(metadata))
             || (domain_id || 'i:' || message_id)
             || case when stream = 'bulk' then array[domain_id || 's:bulk'] else '{}' end
    from bench.batch
    join bench.domains using (position);

  -- One message in twenty has three recipients.
  insert into recipients (message_id, domain_id, address, kind, state, attempts, response, response_code, mx, state_at)
  select id, domain_id, bench.address_of(person + n), case when n = 0 then 'to' else 'cc' end, state, 1,
         case when state = 'delivered' then '250 2.0.0 Ok: queued as 4bKq7Y2hxSz9vR' end,
         case when state = 'delivered' then 250 end, 'mx1.example', created_at + interval '3 seconds'
    from bench.batch
    join bench.domains using (position)
   cross join generate_series(0, case when id % 20 = 0 then 2 else 0 end) n;
$$;
