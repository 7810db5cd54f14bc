/** Templates: texts with Liquid in them, of a domain or of all domains of an organization. */
import type { Queryable } from '../database.ts';
import { type ListOwner, ownerParameters } from './list-owner.ts';

export const MAX_TEMPLATES = 1_000;

export interface TemplateContent {
  subject: string | null;
  htmlbody: string | null;
  textbody: string | null;
}

/** Without its texts: a list of them would be hundreds of megabytes. */
export interface TemplateSummary {
  id: number;
  /** Null: of all domains of the organization */
  domain: string | null;
  name: string;
  createdAt: Date;
  updatedAt: Date;
}

export type MailTemplate = TemplateSummary & TemplateContent;
export type NewTemplate = TemplateContent & ListOwner & { name: string };
export type TemplateChanges = { [K in keyof TemplateContent]?: string | null } & { name?: string };
export type SaveResult =
  | { ok: true; template: MailTemplate }
  /** `no_body`: neither HTML nor text would be left */
  | { ok: false; reason: 'taken' | 'too_many' | 'no_body' };

const UNIQUE_VIOLATION = '23505';

const summary = `
  template.id, template.name,
  (select domain.name from domains domain where domain.id = template.domain_id) as domain,
  template.created_at as "createdAt",
  template.updated_at as "updatedAt"`;
const everything = `${summary}, template.subject, template.htmlbody, template.textbody`;

/** `$1` and `$2` are the owner's organization and domain. */
const isOwned = 'template.organization_id = $1 and ($2::bigint is null or template.domain_id = $2)';

export async function listTemplates(db: Queryable, owner: ListOwner): Promise<TemplateSummary[]> {
  const { rows } = await db.query<TemplateSummary>(
    `select ${summary} from templates template where ${isOwned} order by template.name, template.id`,
    ownerParameters(owner),
  );
  return rows;
}

/** Undefined: there is none, or it is another's. */
export async function findTemplate(
  db: Queryable,
  id: number,
  owner: ListOwner,
): Promise<MailTemplate | undefined> {
  const { rows } = await db.query<MailTemplate>(
    `select ${everything} from templates template where ${isOwned} and template.id = $3`,
    [...ownerParameters(owner), id],
  );
  return rows[0];
}

/** What a domain's message may use: by id, or by name, of which the domain's own comes before the organization's. */
export async function findUsableTemplate(
  db: Queryable,
  { organizationId, domainId }: { organizationId: number; domainId: number },
  key: number | string,
): Promise<TemplateContent | undefined> {
  const { rows } = await db.query<TemplateContent>(
    `select subject, htmlbody, textbody
       from templates
      where organization_id = $1
        and (domain_id is null or domain_id = $2)
        and (id = $3 or name = $4)
      order by domain_id nulls last
      limit 1`,
    [organizationId, domainId, typeof key === 'number' ? key : null, typeof key === 'string' ? key : null],
  );
  return rows[0];
}

/** Two requests at the same moment may take an organization a little beyond its number. */
export async function createTemplate(db: Queryable, template: NewTemplate): Promise<SaveResult> {
  const { name, subject, htmlbody, textbody } = template;
  const result = await save(
    db.query<MailTemplate>(
      `insert into templates as template (organization_id, domain_id, name, subject, htmlbody, textbody)
            select $1, $2, $3, $4, $5, $6
             where (select count(*) from templates where organization_id = $1) < $7
         returning ${everything}`,
      [...ownerParameters(template), name, subject, htmlbody, textbody, MAX_TEMPLATES],
    ),
  );
  return result ?? { ok: false, reason: 'too_many' };
}

/** What is not named stays. Undefined: there is none, or it is another's. */
export async function updateTemplate(
  db: Queryable,
  id: number,
  owner: ListOwner,
  changes: TemplateChanges,
): Promise<SaveResult | undefined> {
  const { name, subject, htmlbody, textbody } = changes;
  return save(
    db.query<MailTemplate>(
      `update templates template
          set name       = coalesce($4, name),
              subject    = case when $5::boolean then $6 else subject  end,
              htmlbody   = case when $7::boolean then $8 else htmlbody end,
              textbody   = case when $9::boolean then $10 else textbody end,
              updated_at = now()
        where ${isOwned} and template.id = $3
    returning ${everything}`,
      [
        ...ownerParameters(owner),
        id,
        name ?? null,
        ...[subject, htmlbody, textbody].flatMap((text) => [text !== undefined, text ?? null]),
      ],
    ),
  );
}

/** @returns the one that is gone; undefined: there is none, or it is another's */
export async function deleteTemplate(
  db: Queryable,
  id: number,
  owner: ListOwner,
): Promise<TemplateSummary | undefined> {
  const { rows } = await db.query<TemplateSummary>(
    `delete from templates template where ${isOwned} and template.id = $3 returning ${summary}`,
    [...ownerParameters(owner), id],
  );
  return rows[0];
}

/** Undefined: no row was written. */
async function save(saving: Promise<{ rows: MailTemplate[] }>): Promise<SaveResult | undefined> {
  try {
    const { rows } = await saving;
    const [template] = rows;
    return template && { ok: true, template };
  } catch (error) {
    const { code, constraint } = error as Error & { code?: string; constraint?: string };
    if (code === UNIQUE_VIOLATION) return { ok: false, reason: 'taken' };
    if (constraint === 'templates_body') return { ok: false, reason: 'no_body' };
    throw error;
  }
}
