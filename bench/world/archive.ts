/**
 * An archive to search: messages with their terms and recipients, written by Postgres itself (archive.sql), in partitions
 * of a million as the worker makes them. No sources and no events: no search reads them.
 */
import { readFileSync } from 'node:fs';
import pg from 'pg';

const ORGANIZATIONS = 40;
const DOMAINS = 200;
const DAYS = 90;
const BATCH = 50_000;
/** As api/jobs/upkeep.ts has it */
const PARTITION_IDS = 1_000_000;
const MESSAGES_PER_PERSON = 10;

export interface Archive {
  messages: number;
  recipients: number;
  /** Tables and indexes */
  bytes: number;
}

/** Tokens of the archive's domains and organizations, by their ids */
export const tokenOf = {
  domain: (id: number) => `bench-domain-${id}`,
  organization: (id: number) => `bench-organization-${id}`,
};

/**
 * @param url of a migrated app database
 * @param onProgress called with the number of messages that are written
 */
export async function fillArchive(
  url: string,
  messages: number,
  onProgress: (written: number) => void,
): Promise<Archive> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(readFileSync(new URL('archive.sql', import.meta.url), 'utf8'));
  await client.query('set synchronous_commit = off; select setseed(0.5)');
  await client.query('call bench.create_senders($1, $2)', [ORGANIZATIONS, DOMAINS]);
  await makePartitions(client, messages);
  const makeIndex = await dropTermsIndex(client);
  const persons = Math.ceil(messages / MESSAGES_PER_PERSON);
  for (let first = 1; first <= messages; first += BATCH) {
    const last = Math.min(first + BATCH - 1, messages);
    await client.query('call bench.write_messages($1, $2, $3, $4, $5)', [
      first,
      last,
      messages,
      persons,
      DAYS,
    ]);
    onProgress(last);
  }
  await client.query("select setval('messages_id_seq', $1)", [messages]);
  await makeIndex();
  await settle(client);
  const archive = await measureArchive(client, messages);
  await client.end();
  return archive;
}

/** The index of terms is made in one go afterwards: entry by entry it takes an hour. */
async function dropTermsIndex(client: pg.Client): Promise<() => Promise<unknown>> {
  const { rows } = await client.query<{ definition: string }>(
    "select pg_get_indexdef('message_terms_terms'::regclass) as definition",
  );
  const definition = rows[0]?.definition.replace(' ON ONLY ', ' ON ') ?? '';
  await client.query('drop index message_terms_terms');
  return () => client.query(`set maintenance_work_mem = '512MB'; ${definition}`);
}

async function makePartitions(client: pg.Client, messages: number): Promise<void> {
  const { rows } = await client.query<{ end: string }>('select max(upper_id) as end from message_partitions');
  for (let from = Number(rows[0]?.end); from <= messages; from += PARTITION_IDS) {
    await client.query('select create_message_partition($1, $2)', [from, from + PARTITION_IDS]);
  }
}

/** What autovacuum would do: partition by partition. It makes no statistics of a partitioned table as a whole. */
async function settle(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `select inhrelid::regclass::text as name
       from pg_inherits
      where inhparent in ('messages'::regclass, 'message_terms'::regclass, 'recipients'::regclass)`,
  );
  for (const { name } of rows) await client.query(`vacuum (analyze) ${name}`);
  await client.query('vacuum (analyze) organizations, domains, api_tokens');
  await client.query('checkpoint');
}

async function measureArchive(client: pg.Client, messages: number): Promise<Archive> {
  const { rows } = await client.query<{ recipients: string; bytes: string }>(
    'select (select count(*) from recipients) as recipients, pg_database_size(current_database()) as bytes',
  );
  return { messages, recipients: Number(rows[0]?.recipients), bytes: Number(rows[0]?.bytes) };
}
