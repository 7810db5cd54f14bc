/** Which deliveries an operator means: in SQL for those in the database, as a test for those in memory. */
import Type, { type Static } from 'typebox';
import type { ClaimedRow } from './rows.ts';

export const selectorSchema = Type.Object(
  {
    message: Type.Optional(
      Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: "The api's id" }),
    ),
    recipient: Type.Optional(Type.String({ minLength: 3, maxLength: 320 })),
    domain: Type.Optional(Type.String({ minLength: 1, maxLength: 255, description: 'Of the recipient' })),
    site: Type.Optional(
      Type.String({ minLength: 1, maxLength: 255, description: 'The provider behind the MX' }),
    ),
    organization: Type.Optional(Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })),
    tag: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
    zone: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
    olderThanSeconds: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 2_000_000_000, description: 'In the queue for longer' }),
    ),
    all: Type.Optional(Type.Boolean({ description: 'Has to be said where nothing else is' })),
  },
  { additionalProperties: false },
);
/** All that is named must hold. */
export type Selector = Static<typeof selectorSchema>;

/** A selector from a moment on: an age has become a date. */
export interface Target extends Omit<Selector, 'olderThanSeconds' | 'all'> {
  createdBefore?: Date;
}

/** Whether it names nothing, without saying that all is meant. */
export function isUnlimited({ all, ...criteria }: Selector): boolean {
  return all !== true && Object.values(criteria).every((value) => value === undefined);
}

/** @param at when the selector was given: ages count from there */
export function createTarget({ olderThanSeconds, all: _, ...criteria }: Selector, at: Date): Target {
  const { recipient, domain, site } = criteria;
  return {
    ...criteria,
    ...(recipient !== undefined && { recipient: recipient.toLowerCase() }),
    ...(domain !== undefined && { domain: domain.toLowerCase() }),
    ...(site !== undefined && { site: site.toLowerCase() }),
    ...(olderThanSeconds !== undefined && {
      createdBefore: new Date(at.getTime() - olderThanSeconds * 1000),
    }),
  };
}

/** The parameters of a statement that is put together: `add` gives the placeholder of each. */
export class Parameters {
  readonly values: unknown[] = [];

  add(value: unknown): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }
}

/** The condition on `deliveries d`. */
export function toCondition(target: Target, parameters: Parameters): string {
  const { message, recipient, domain, site, organization, tag, zone, createdBefore } = target;
  const conditions = [
    message !== undefined &&
      `d.queue_id in (select id from messages where message_id = ${parameters.add(message)})`,
    recipient !== undefined && `lower(d.recipient) = ${parameters.add(recipient)}`,
    domain !== undefined && `d.domain = ${parameters.add(domain)}`,
    site !== undefined &&
      `d.domain in (select domain from destination_sites where site = ${parameters.add(site)})`,
    organization !== undefined && `d.organization_id = ${parameters.add(organization)}`,
    tag !== undefined && `${parameters.add(tag)} = any(d.tags)`,
    zone !== undefined && `d.zone = ${parameters.add(zone)}`,
    createdBefore !== undefined && `d.created_at < ${parameters.add(createdBefore)}`,
  ].filter((condition) => condition !== false);
  return conditions.length > 0 ? conditions.join(' and ') : 'true';
}

/** As far as a claimed row tells: its age is known to the database only. */
export function mayConcern(
  target: Target,
  row: ClaimedRow,
  siteOf: (domain: string) => string | undefined,
): boolean {
  const { message, recipient, domain, site, organization, tag, zone } = target;
  return (
    (message === undefined || row.messageId === message) &&
    (recipient === undefined || row.recipient.toLowerCase() === recipient) &&
    (domain === undefined || row.domain === domain) &&
    (site === undefined || siteOf(row.domain) === site) &&
    (organization === undefined || row.organizationId === organization) &&
    (tag === undefined || row.tags.includes(tag)) &&
    (zone === undefined || row.zone === zone)
  );
}
