/**
 * How long Postgres takes for a claim, by itself: batches as the master asks for them, of deliveries that are due beside
 * all that waits. In one transaction that is rolled back, so that nobody else sees any of it.
 */
import pg from 'pg';
import { claimRows } from '../../mta/queue/claim-rows.ts';
import { addCopies } from '../world/backlog.ts';
import { listDestinations } from '../world/names.ts';

/** No sender asks for it. */
const ZONE = 'bench';
const DESTINATIONS = 200;
const DUE = 2_000;
const FLOWS_A_CLAIM = 10;
const ROWS_A_FLOW = 4;

/** @returns milliseconds of each claim of 40 rows */
export async function measureClaims(url: string, claims: number): Promise<number[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const domains = listDestinations(DESTINATIONS);
  const milliseconds: number[] = [];
  await client.query('begin');
  try {
    const { rows } = await client.query<{ organization_id: string; priority: number }>(
      `update bench.deliveries set zone = $1 returning organization_id, priority`,
      [ZONE],
    );
    const [template] = rows;
    if (!template) throw new Error('there is no template');
    await addCopies(client, { count: DUE, domains, dueInSeconds: -60, spreadSeconds: 60 });
    for (let number = 0; number < claims; number++) {
      const wanted = Array.from({ length: FLOWS_A_CLAIM }, (_, index) => ({
        ...{ zone: ZONE, organizationId: Number(template.organization_id), priority: template.priority },
        ...{ domain: domains[(number + index) % DESTINATIONS] ?? '', count: ROWS_A_FLOW },
      }));
      await client.query('savepoint before_claim');
      const startedAt = performance.now();
      const claimed = await claimRows(client, { instanceId: ZONE, leaseSeconds: 30, wanted });
      milliseconds.push(performance.now() - startedAt);
      if (claimed.length !== FLOWS_A_CLAIM * ROWS_A_FLOW) throw new Error(`${claimed.length} were claimed`);
      await client.query('rollback to savepoint before_claim');
    }
  } finally {
    await client.query('rollback');
    await client.end();
  }
  return milliseconds;
}
