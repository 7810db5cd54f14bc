/**
 * Addresses that mail is forwarded to. One that is not at a verified domain of the organization has to agree: it gets a
 * code by mail, and whoever can read that mail gives the code to the organization.
 */
import { hash, randomInt } from 'node:crypto';
import type { Queryable } from '../database.ts';

const CODE_DIGITS = 8;
const MAX_FAILURES = 5;
const LIFETIME_DAYS = 7;
/** Nobody gets more mail of this kind than that, whatever an organization asks for. */
const AGAIN_AFTER_MINUTES = 10;
/** Addresses of an organization that have been asked and have not agreed */
const MAX_OPEN = 20;

/** SQL: whether mail may be forwarded there. @param organizationId, address SQL expressions */
export function isConfirmed(organizationId: string, address: string): string {
  return `(exists (select from forward_addresses
                    where organization_id = ${organizationId} and address = lower(${address})
                      and confirmed_at is not null)
           or exists (select from domains
                       where organization_id = ${organizationId} and name = lower(substring(${address} from '[^@]*$'))
                         and dkim_verified_at is not null and deleted_at is null))`;
}

export type Askable = 'confirmed' | 'askable' | 'too_soon' | 'too_many';

export async function findAskable(db: Queryable, organizationId: number, address: string): Promise<Askable> {
  const { rows } = await db.query<{ isConfirmed: boolean; isSoon: boolean; open: number }>(
    `select ${isConfirmed('$1', '$2::text')} as "isConfirmed",
            coalesce(bool_or(asked.address = lower($2) and requested_at > now() - make_interval(mins => ${AGAIN_AFTER_MINUTES})),
                     false) as "isSoon",
            count(*) filter (where asked.address <> lower($2) and confirmed_at is null
                                   and requested_at > now() - make_interval(days => ${LIFETIME_DAYS})) as open
       from forward_addresses asked
      where organization_id = $1`,
    [organizationId, address],
  );
  const [found] = rows;
  if (found?.isConfirmed) return 'confirmed';
  if (found?.isSoon) return 'too_soon';
  return (found?.open ?? 0) >= MAX_OPEN ? 'too_many' : 'askable';
}

/**
 * Inside a transaction. @returns the code that is to be sent; undefined: one was, a short time ago
 * @param address that has not agreed yet */
export async function requestConfirmation(
  tx: Queryable,
  organizationId: number,
  address: string,
): Promise<string | undefined> {
  const code = String(randomInt(10 ** CODE_DIGITS)).padStart(CODE_DIGITS, '0');
  const { rowCount } = await tx.query(
    `insert into forward_addresses as known (organization_id, address, code_digest) values ($1, $2, $3)
     on conflict (organization_id, address) do update
        set code_digest = excluded.code_digest, failures = 0, requested_at = now()
      where known.requested_at < now() - make_interval(mins => ${AGAIN_AFTER_MINUTES})`,
    [organizationId, address.toLowerCase(), digest(code)],
  );
  return rowCount === 1 ? code : undefined;
}

/** Counts the tries, so run it in a transaction that commits either way. */
export async function confirmAddress(
  tx: Queryable,
  { organizationId, address, code }: { organizationId: number; address: string; code: string },
): Promise<'confirmed' | 'wrong' | 'over'> {
  const { rows } = await tx.query<{ isRight: boolean; isOver: boolean }>(
    `update forward_addresses
        set failures     = failures + case when code_digest = $3 then 0 else 1 end,
            confirmed_at = case when code_digest = $3 and failures < ${MAX_FAILURES}
                                 and requested_at > now() - make_interval(days => ${LIFETIME_DAYS})
                                then coalesce(confirmed_at, now()) else confirmed_at end
      where organization_id = $1 and address = $2
  returning code_digest = $3 as "isRight",
            failures > ${MAX_FAILURES} or (code_digest = $3 and confirmed_at is null)
              or requested_at <= now() - make_interval(days => ${LIFETIME_DAYS}) as "isOver"`,
    [organizationId, address.toLowerCase(), digest(code.trim())],
  );
  const [tried] = rows;
  if (!tried || tried.isOver) return 'over';
  return tried.isRight ? 'confirmed' : 'wrong';
}

function digest(code: string): string {
  return hash('sha256', code);
}
