/** What people search an archive for, and with what luck: each kind of search for what some message of it has. */
import pg from 'pg';
import { tokenOf } from './archive.ts';

/** A message, taken by lot. */
export interface Sample {
  id: number;
  domainId: number;
  organizationId: number;
  address: string;
  subject: string;
  tag: string | null;
  messageId: string;
  status: string;
  createdAt: Date;
}

export interface SearchKind {
  name: string;
  /** A search within the whole organization, not one domain */
  isWide?: boolean;
  /** It may find nothing: what it looks for is rare, or not there */
  mayBeVain?: boolean;
  /** Undefined: there is no such search for this message */
  ask(sample: Sample): Record<string, string> | undefined;
}

const DAY_MS = 86_400_000;

const dayOf = ({ createdAt }: Sample) => ({
  since: new Date(createdAt.getTime() - DAY_MS / 2).toISOString(),
  until: new Date(createdAt.getTime() + DAY_MS / 2).toISOString(),
});

export const searchKinds: readonly SearchKind[] = [
  { name: 'recipient', ask: ({ address }) => ({ recipient: address }) },
  { name: 'recipient, all domains', isWide: true, ask: ({ address }) => ({ recipient: address }) },
  {
    name: 'recipient who is not there',
    mayBeVain: true,
    ask: ({ address }) => ({ recipient: `x${address}` }),
  },
  { name: 'recipient, first letters', ask: ({ address }) => ({ recipient: `${address.slice(0, 6)}*` }) },
  {
    name: 'recipient on a day',
    ask: (sample) => ({ recipient: sample.address, ...dayOf(sample) }),
  },
  { name: 'recipient and status', ask: ({ address, status }) => ({ recipient: address, status }) },
  {
    name: 'recipient and subject',
    ask: ({ address, subject }) => ({ recipient: address, subject: subject.replace(/\d+/, '') }),
  },
  { name: 'subject, its words', ask: ({ subject }) => ({ subject: subject.replace(/\d+/, '') }) },
  {
    name: 'subject, its number',
    ask: ({ subject }) => {
      const number = /\d+/.exec(subject)?.[0];
      return number === undefined ? undefined : { subject: number };
    },
  },
  { name: 'tag', ask: ({ tag }) => (tag === null ? undefined : { tag }) },
  { name: 'tag, all domains', isWide: true, ask: ({ tag }) => (tag === null ? undefined : { tag }) },
  {
    name: 'tag on a day',
    ask: (sample) => (sample.tag === null ? undefined : { tag: sample.tag, ...dayOf(sample) }),
  },
  { name: 'tag and status bounced', mayBeVain: true, ask: () => ({ tag: 'billing', status: 'bounced' }) },
  { name: 'message-id', ask: ({ messageId }) => ({ message_id: messageId }) },
  { name: 'message-id, all domains', isWide: true, ask: ({ messageId }) => ({ message_id: messageId }) },
  { name: 'metadata', mayBeVain: true, ask: ({ id }) => ({ metadata: `order:${id}` }) },
  { name: 'status delivered', mayBeVain: true, ask: () => ({ status: 'delivered' }) },
  { name: 'status bounced', mayBeVain: true, ask: () => ({ status: 'bounced' }) },
  { name: 'status held', mayBeVain: true, ask: () => ({ status: 'held' }) },
  { name: 'a day', ask: dayOf },
  { name: 'a day, all domains', isWide: true, ask: dayOf },
  {
    name: 'a day and status bounced',
    mayBeVain: true,
    ask: (sample) => ({ ...dayOf(sample), status: 'bounced' }),
  },
  { name: 'the newest', ask: () => ({}) },
  { name: 'the newest, all domains', isWide: true, ask: () => ({}) },
];

/** Messages by lot: of a domain that has much there are many. */
export async function drawSamples(url: string, messages: number, count: number): Promise<Sample[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<Record<keyof Sample, string> & { createdAt: Date }>(
    `select message.id, message.subject, message.tags[1] as tag, recipient.address,
            message.domain_id       as "domainId",
            message.organization_id as "organizationId",
            message.message_id      as "messageId",
            message.state           as status,
            message.created_at      as "createdAt"
       from (select distinct 1 + floor(random() * $1)::bigint as id from generate_series(1, $2)) lot
       join messages message using (id)
       join lateral (select address from recipients where message_id = message.id limit 1) recipient on true`,
    [messages, count],
  );
  await client.end();
  return rows.map((row) => ({
    ...row,
    id: Number(row.id),
    domainId: Number(row.domainId),
    organizationId: Number(row.organizationId),
  }));
}

/** The headers with which the owner of the message asks. */
export function credentialsOf(kind: SearchKind, sample: Sample): Record<string, string> {
  return kind.isWide
    ? { 'mailpace-organization-token': tokenOf.organization(sample.organizationId) }
    : { 'mailpace-server-token': tokenOf.domain(sample.domainId) };
}
