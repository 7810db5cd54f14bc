/**
 * Deliveries that wait, many at a time: copies of one that came in by the intake and was deferred, so that every column
 * holds what the mta itself would have written.
 */
import pg from 'pg';
import { waitUntil } from './wait.ts';

const BATCH = 50_000;
/** No copy expires while it is measured. */
const LIFETIME = '7 days';

export interface Backlog {
  count: number;
  /** Recipient domains, in turn */
  domains: readonly string[];
  /** From now until the first is due, and over how long the others follow */
  dueInSeconds: number;
  spreadSeconds: number;
}

export interface BacklogWriter {
  /** Adds deliveries; every batch is one transaction. */
  add(backlog: Backlog): Promise<void>;
  /** Makes what waits for these domains due now. @returns how many */
  makeDue(domains: readonly string[]): Promise<number>;
  /** What autovacuum and the checkpointer would do within minutes. */
  settle(): Promise<void>;
  databaseBytes(): Promise<number>;
  close(): Promise<void>;
}

/**
 * Takes the message to this recipient, once it is deferred, out of the queue and into a schema of its own.
 * @throws when it is not deferred within half a minute
 */
export async function takeTemplate(url: string, recipient: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await waitUntil('the deferral of the template', async () => {
    const { rowCount } = await client.query(
      'select from deliveries where recipient = $1 and deferrals > 0 and claim_id is null',
      [recipient],
    );
    return rowCount === 1;
  });
  await client.query('begin');
  await client.query(MAKE_TABLES);
  await client.query('insert into bench.deliveries select * from deliveries where recipient = $1', [
    recipient,
  ]);
  await client.query(TAKE_TEMPLATE);
  await client.query('commit');
  await client.end();
}

/** To write copies of the template. */
export async function openBacklog(url: string): Promise<BacklogWriter> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();

  return {
    async add(backlog) {
      for (let left = backlog.count; left > 0; left -= BATCH) {
        const count = Math.min(left, BATCH);
        await client.query('begin');
        await addCopies(client, { ...backlog, count });
        await client.query(COUNT_ACCEPTED, [count]);
        await client.query('commit');
      }
    },
    async makeDue(domains) {
      const { rowCount } = await client.query(
        'update deliveries set due_at = now() where domain = any($1) and claim_id is null',
        [domains],
      );
      return rowCount ?? 0;
    },
    async settle() {
      await client.query('vacuum (analyze)');
      await client.query('checkpoint');
    },
    async databaseBytes() {
      const { rows } = await client.query<{ bytes: string }>(
        'select pg_database_size(current_database()) as bytes',
      );
      return Number(rows[0]?.bytes);
    },
    close: () => client.end(),
  };
}

/** In the caller's transaction, and not counted as accepted. */
export async function addCopies(
  client: pg.ClientBase,
  { count, domains, dueInSeconds, spreadSeconds }: Backlog,
): Promise<void> {
  const { rows } = await client.query<{ first: string }>(RESERVE, [count]);
  const first = Number(rows[0]?.first);
  const range = [first, first + count - 1];
  await client.query(COPY_MESSAGES, [...range, domains]);
  await client.query(COPY_DELIVERIES, [...range, domains, dueInSeconds, spreadSeconds]);
}

const MAKE_TABLES = `
  create schema bench;
  create table bench.deliveries as table deliveries with no data;
  create table bench.messages as table messages with no data;
  create sequence bench.copies`;

const TAKE_TEMPLATE = `
  insert into bench.messages select * from messages where id in (select queue_id from bench.deliveries);
  delete from deliveries where queue_id in (select id from bench.messages);
  delete from messages where id in (select id from bench.messages);
  update queue_counters set value = value - 1
   where (name, lane) = (select name, lane from queue_counters where name = 'accepted' and value > 0 limit 1)`;

/** The domain of copy n. */
const DOMAIN = '($3::text[])[1 + n % cardinality($3::text[])]';

/** Numbers of copies; none is used twice. */
const RESERVE = "select setval('bench.copies', nextval('bench.copies') + $1) - $1 as first";

const COPY_MESSAGES = `
  insert into messages
  select (jsonb_populate_record(template, jsonb_build_object(
           'id',         'bench' || n,
           'message_id', n,
           'expires_at', now() + interval '${LIFETIME}',
           'created_at', now(),
           'envelope',   replace(replace(template.envelope, delivery.recipient, 'rcpt@' || ${DOMAIN}),
                                 '"messageId":' || template.message_id, '"messageId":' || n)))).*
    from bench.messages template
    join bench.deliveries delivery on delivery.queue_id = template.id
   cross join generate_series($1::bigint, $2::bigint) n`;

const COPY_DELIVERIES = `
  insert into deliveries
  select (jsonb_populate_record(template, jsonb_build_object(
           'queue_id',   'bench' || n,
           'message_id', n,
           'domain',     ${DOMAIN},
           'recipient',  'rcpt@' || ${DOMAIN},
           'due_at',     now() + make_interval(secs => $4 + random() * $5),
           'expires_at', now() + interval '${LIFETIME}',
           'created_at', now()))).*
    from bench.deliveries template
   cross join generate_series($1::bigint, $2::bigint) n`;

const COUNT_ACCEPTED = `
  insert into queue_counters (name, lane, value) values ('accepted', 0, $1)
  on conflict (name, lane) do update set value = queue_counters.value + excluded.value`;
