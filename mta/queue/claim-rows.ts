/** The rows behind claims: finding due ones and taking them, with the envelope that the sender needs. */
import type pg from 'pg';

export interface DueRow {
  queue_id: string;
  sequence: string;
  domain: string;
}

export interface ClaimedRow extends DueRow {
  zone: string;
  recipient: string;
  claim_id: string;
  attempts: number;
  deferrals: number;
  expires_at: Date;
  created_at: Date;
  last_response: string | null;
  /** JSON */
  envelope: string;
}

/** The longest due deliveries of a zone that nobody has claimed. */
export async function findDue(
  pool: pg.Pool,
  { zone, skipDomains, limit }: { zone: string; skipDomains: string[]; limit: number },
): Promise<DueRow[]> {
  const { rows } = await pool.query<DueRow>({
    name: 'find_due',
    text: `select queue_id, sequence, domain
             from deliveries
            where zone = $1
              and due_at <= now()
              and claim_id is null
              and held_at is null
              and expires_at > now()
              and domain <> all($2)
            order by due_at
            limit $3`,
    values: [zone, skipDomains, limit],
  });
  return rows;
}

/** Claims those of the rows that nobody else has claimed meanwhile. The attempt is counted now: a crash shows. */
export async function takeClaims(
  pool: pg.Pool,
  { instanceId, leaseSeconds, picked }: { instanceId: string; leaseSeconds: number; picked: DueRow[] },
): Promise<ClaimedRow[]> {
  const { rows } = await pool.query<ClaimedRow>({
    name: 'take_claims',
    text: `update deliveries d
              set claim_id = nextval('claim_ids'),
                  claimed_by = $1,
                  claimed_until = now() + make_interval(secs => $2),
                  attempts = d.attempts + 1
             from unnest($3::text[], $4::text[]) as picked (queue_id, sequence)
             join messages m on m.id = picked.queue_id
            where d.queue_id = picked.queue_id
              and d.sequence = picked.sequence
              and d.claim_id is null
              and d.held_at is null
        returning d.queue_id, d.sequence, d.domain, d.zone, d.recipient, d.claim_id, d.attempts, d.deferrals,
                  d.expires_at, d.created_at, d.last_response, m.envelope`,
    values: [instanceId, leaseSeconds, picked.map((row) => row.queue_id), picked.map((row) => row.sequence)],
  });
  return rows;
}
