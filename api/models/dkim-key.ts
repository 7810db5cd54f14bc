/**
 * DKIM keys of a domain. A key is made, published by the domain's owner, then activated: activating it retires the one
 * before, whose public record is still answered so that mail under way verifies (RFC 6376 3.1). Private keys are sealed.
 */
import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import { type DkimKey, findDkimKeys, findDkimRecord } from '../../lib/rpc/contracts/dkim-keys.ts';
import { deriveKey, seal, unseal } from '../../lib/secrets.ts';
import type { Queryable, Transaction } from '../database.ts';

/** RFC 8301 3.2 */
const RSA_BITS = 2048;
const SELECTOR = 'postern';

const generate = promisify(generateKeyPair);

export interface KeyPair {
  /** PKCS#8 PEM */
  privateKey: string;
  /** The value of the TXT record */
  record: string;
}

export interface DkimRecord {
  selector: string;
  record: string;
}

/** Takes about 100 ms in a thread of its own: call it before the transaction. */
export async function generateDkimKeyPair(): Promise<KeyPair> {
  const { publicKey, privateKey } = await generate('rsa', {
    modulusLength: RSA_BITS,
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return { privateKey, record: `v=DKIM1; k=rsa; p=${publicKey.toString('base64')}` };
}

/** Adds a key that does not sign yet. Its selector is `postern`, then `postern2`, `postern3`, … */
export async function createDkimKey(
  tx: Transaction,
  domain: { id: number; name: string },
  { privateKey, record }: KeyPair,
  masterKey: string,
): Promise<DkimRecord> {
  await tx.query('select id from domains where id = $1 for update', [domain.id]); // one selector each
  const { rows } = await tx.query<{ count: number }>('select count(*) from dkim_keys where domain_id = $1', [
    domain.id,
  ]);
  const count = rows[0]?.count ?? 0;
  const selector = count === 0 ? SELECTOR : `${SELECTOR}${count + 1}`;
  const sealed = seal(deriveKey(masterKey, 'database'), privateKey, sealContext(domain.name, selector));
  await tx.query(
    'insert into dkim_keys (domain_id, selector, private_key_sealed, record) values ($1, $2, $3, $4)',
    [domain.id, selector, sealed, record],
  );
  await tx.invalidate(findDkimRecord, { name: domain.name, selector });
  return { selector, record };
}

/** From the commit on the domain signs with this key only. False: it has no such key, or it was retired. */
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
      where domain_id = $1 and selector <> $2 and activated_at is not null and retired_at is null`,
    [domain.id, selector],
  );
  await tx.invalidate(findDkimKeys, { name: domain.name });
  return true;
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
  const { rows } = await db.query<{ selector: string | null; sealed: Buffer }>(
    `select key.selector, key.private_key_sealed as sealed
       from domains domain
       left join dkim_keys key on key.domain_id = domain.id
                              and key.activated_at is not null
                              and key.retired_at is null
      where domain.name = $1
      order by key.id`,
    [domain],
  );
  if (rows.length === 0) return undefined;
  const key = deriveKey(masterKey, 'database');
  return rows.flatMap(({ selector, sealed }) => {
    if (selector === null) return [];
    const plain = unseal(key, sealed, sealContext(domain, selector));
    if (!plain) throw new Error(`the DKIM key ${selector} of ${domain} was sealed by another secrets.key`);
    return [{ selector, algorithm: 'rsa-sha256' as const, privateKey: plain.toString() }];
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
      where domain.name = $1 and key.selector = $2`,
    [domain, selector],
  );
  return rows[0]?.record;
}

function sealContext(domain: string, selector: string): string {
  return `dkim_keys/${domain}/${selector}`;
}
