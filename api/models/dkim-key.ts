/**
 * DKIM keys of a domain. A key is made, published by the domain's owner, then activated: activating it retires the one
 * of the same algorithm before, whose public record is still answered so that mail under way verifies (RFC 6376 3.1).
 * A domain signs with RSA always, and with Ed25519 beside it once the DNS was seen to have its record. Private keys are
 * sealed.
 */
import {
  type DkimAlgorithm,
  type DkimKey,
  findDkimKeys,
  findDkimRecord,
} from '../../lib/rpc/contracts/dkim-keys.ts';
import { deriveKey, seal, unseal } from '../../lib/secrets.ts';
import type { Queryable, Transaction } from '../database.ts';
import type { KeyPair } from './dkim-key-pair.ts';
import { countMailUnderWay } from './mail-under-way.ts';
import type { SealedColumn } from './sealed.ts';

/** Of the first key; the following ones have a number behind it. */
const SELECTORS: Record<DkimAlgorithm, string> = { 'rsa-sha256': 'postern', 'ed25519-sha256': 'postern-ed' };
/** Of an algorithm: one that signs, and one on its way to. */
const MAX_LIVING_KEYS = 2;

export interface DkimRecord {
  selector: string;
  record: string;
}

export interface ListedDkimKey extends DkimRecord {
  algorithm: DkimAlgorithm;
  /** `pending`: does not sign yet. `retired`: does not sign any more, mail under way may still need its record. */
  state: 'pending' | 'active' | 'retired';
  createdAt: Date;
  activatedAt: Date | null;
  retiredAt: Date | null;
}

const selectKeys = `
  select selector,
         algorithm,
         record,
         case when retired_at is not null then 'retired'
              when activated_at is not null then 'active'
              else 'pending' end as state,
         created_at              as "createdAt",
         activated_at            as "activatedAt",
         retired_at              as "retiredAt"
    from dkim_keys`;

/** Adds a key that does not sign yet. Its selector is `postern`, then `postern2`, …; of Ed25519 `postern-ed`, … */
export async function createDkimKey(
  tx: Transaction,
  domain: { id: number; name: string },
  { algorithm, privateKey, record }: KeyPair,
  masterKey: string,
): Promise<DkimRecord> {
  await tx.query('select id from domains where id = $1 for update', [domain.id]); // one selector each
  const { rows } = await tx.query<{ number: number }>(
    `select coalesce(max(coalesce(substring(selector from '\\d+$')::integer, 1)), 0) + 1 as number
       from dkim_keys
      where domain_id = $1 and algorithm = $2`,
    [domain.id, algorithm],
  );
  const number = rows[0]?.number ?? 1;
  const selector = number === 1 ? SELECTORS[algorithm] : `${SELECTORS[algorithm]}${number}`;
  const sealed = seal(deriveKey(masterKey, 'database'), privateKey, sealContext(domain.name, selector));
  await tx.query(
    `insert into dkim_keys (domain_id, selector, algorithm, private_key_sealed, record)
          values ($1, $2, $3, $4, $5)`,
    [domain.id, selector, algorithm, sealed, record],
  );
  await tx.invalidate(findDkimRecord, { name: domain.name, selector });
  return { selector, record };
}

/** The next key of its algorithm, for a rotation. Undefined: there is one already that waits to be activated. */
export async function addNextDkimKey(
  tx: Transaction,
  domain: { id: number; name: string },
  keyPair: KeyPair,
  masterKey: string,
): Promise<DkimRecord | undefined> {
  await tx.query('select id from domains where id = $1 for update', [domain.id]); // of two requests one is too late
  const living = (await listDkimKeys(tx, domain.id)).filter(
    ({ state, algorithm }) => state !== 'retired' && algorithm === keyPair.algorithm,
  );
  const isFull = living.length >= MAX_LIVING_KEYS || living.some(({ state }) => state === 'pending');
  return isFull ? undefined : createDkimKey(tx, domain, keyPair, masterKey);
}

/** Oldest first. */
export async function listDkimKeys(db: Queryable, domainId: number): Promise<ListedDkimKey[]> {
  const { rows } = await db.query<ListedDkimKey>(`${selectKeys} where domain_id = $1 order by id`, [
    domainId,
  ]);
  return rows;
}

export type DeleteDkimKeyResult =
  | { ok: true; state: ListedDkimKey['state'] }
  | { ok: false; reason: 'not_found' }
  | { ok: false; reason: 'active' }
  | { ok: false; reason: 'under_way'; messages: number };

/**
 * Removes a key that does not sign, or an Ed25519 key that does: RSA signs on. A retired one stays until the last
 * message that was taken while it signed has come to an end: an attempt of it may be on its way to be verified.
 */
export async function deleteDkimKey(
  tx: Transaction,
  domain: { id: number; name: string },
  selector: string,
): Promise<DeleteDkimKeyResult> {
  const { rows } = await tx.query<ListedDkimKey>(
    `${selectKeys} where domain_id = $1 and selector = $2 for update`,
    [domain.id, selector],
  );
  const [key] = rows;
  if (!key) return { ok: false, reason: 'not_found' };
  if (key.state === 'active' && key.algorithm === 'rsa-sha256') return { ok: false, reason: 'active' };
  const messages = key.retiredAt ? await countMailUnderWay(tx, domain.id, key.retiredAt) : 0;
  if (messages > 0) return { ok: false, reason: 'under_way', messages };
  await tx.query('delete from dkim_keys where domain_id = $1 and selector = $2', [domain.id, selector]);
  await tx.invalidate(findDkimRecord, { name: domain.name, selector });
  await tx.invalidate(findDkimKeys, { name: domain.name });
  return { ok: true, state: key.state };
}

/** From the commit on it is the only key of its algorithm that the domain signs with. False: it has no such key, or it was retired. */
export async function activateDkimKey(
  tx: Transaction,
  domain: { id: number; name: string },
  selector: string,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update dkim_keys
        set activated_at = coalesce(activated_at, now())
      where domain_id = $1 and selector = $2 and retired_at is null`,
    [domain.id, selector],
  );
  if (rowCount !== 1) return false;
  await tx.query(
    `update dkim_keys
        set retired_at = now()
      where domain_id = $1 and selector <> $2 and activated_at is not null and retired_at is null
        and algorithm = (select algorithm from dkim_keys where domain_id = $1 and selector = $2)`,
    [domain.id, selector],
  );
  await tx.invalidate(findDkimKeys, { name: domain.name });
  return true;
}

/** The Ed25519 keys that could be the domain's first to sign; empty: it signs with one. */
export async function findWaitingKeys(db: Queryable, domainId: number): Promise<ListedDkimKey[]> {
  const keys = (await listDkimKeys(db, domainId)).filter(({ algorithm }) => algorithm === 'ed25519-sha256');
  return keys.some(({ state }) => state === 'active') ? [] : keys.filter(({ state }) => state === 'pending');
}

/**
 * What signs the domain's mail now. Undefined: no such domain.
 * @throws when a key was sealed by another master key: mail is then deferred, not sent unsigned
 */
export async function findSigningKeys(
  db: Queryable,
  domain: string,
  masterKey: string,
): Promise<DkimKey[] | undefined> {
  const { rows } = await db.query<{ selector: string | null; algorithm: DkimAlgorithm; sealed: Buffer }>(
    `select key.selector, key.algorithm, key.private_key_sealed as sealed
       from domains domain
       left join dkim_keys key on key.domain_id = domain.id
                              and key.activated_at is not null
                              and key.retired_at is null
      where domain.name = $1 and domain.deleted_at is null
      order by key.id`,
    [domain],
  );
  if (rows.length === 0) return undefined;
  const key = deriveKey(masterKey, 'database');
  return rows.flatMap(({ selector, algorithm, sealed }) => {
    if (selector === null) return [];
    const plain = unseal(key, sealed, sealContext(domain, selector));
    if (!plain) throw new Error(`the DKIM key ${selector} of ${domain} was sealed by another secrets.key`);
    return [{ selector, algorithm, privateKey: plain.toString() }];
  });
}

/** The TXT value of one selector, whether it signs or not. */
export async function findRecord(
  db: Queryable,
  domain: string,
  selector: string,
): Promise<string | undefined> {
  const { rows } = await db.query<{ record: string }>(
    `select key.record
       from dkim_keys key
       join domains domain on domain.id = key.domain_id
      where domain.name = $1 and domain.deleted_at is null and key.selector = $2`,
    [domain, selector],
  );
  return rows[0]?.record;
}

/**
 * The keys of a domain go with it to its new name: they are sealed for a name and a selector. Ed25519 waits there until
 * its record is seen, as of a new domain; RSA is waited for by the mail itself.
 * @throws when a key was sealed by another master key
 */
export async function renameDkimKeys(
  tx: Transaction,
  { id, name, newName }: { id: number; name: string; newName: string },
  masterKey: string,
): Promise<void> {
  const key = deriveKey(masterKey, 'database');
  const { rows } = await tx.query<{ selector: string; sealed: Buffer }>(
    'select selector, private_key_sealed as sealed from dkim_keys where domain_id = $1 for update',
    [id],
  );
  for (const { selector, sealed } of rows) {
    const plain = unseal(key, sealed, sealContext(name, selector));
    if (!plain) throw new Error(`the DKIM key ${selector} of ${name} was sealed by another secrets.key`);
    await tx.query('update dkim_keys set private_key_sealed = $3 where domain_id = $1 and selector = $2', [
      id,
      selector,
      seal(key, plain, sealContext(newName, selector)),
    ]);
    for (const known of [name, newName]) await tx.invalidate(findDkimRecord, { name: known, selector });
  }
  await tx.query(
    `update dkim_keys
        set activated_at = null
      where domain_id = $1 and algorithm = 'ed25519-sha256' and retired_at is null`,
    [id],
  );
  for (const known of [name, newName]) await tx.invalidate(findDkimKeys, { name: known });
}

/** For api/models/sealed.ts. A rename takes the domain's row: it comes before or after, never between. */
export const sealedDkimKeys: SealedColumn = {
  table: 'dkim_keys',
  column: 'private_key_sealed',
  select: `
    select key.id, key.private_key_sealed as sealed, key.selector, domain.name
      from dkim_keys key
      join domains domain on domain.id = key.domain_id
     where key.id > $1
     order by key.id
     limit $2
       for update of key
       for share of domain`,
  contextOf: ({ name, selector }) => sealContext(String(name), String(selector)),
};

function sealContext(domain: string, selector: string): string {
  return `dkim_keys/${domain}/${selector}`;
}
