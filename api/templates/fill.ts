/** A send request that names a template becomes one with its texts; any other stays as it is. */
import type { Queryable } from '../database.ts';
import { isAbsent, type Refusal } from '../mail/field-reader.ts';
import type { DomainCredential } from '../models/api-token.ts';
import { findUsableTemplate, type TemplateContent } from '../models/template.ts';
import type { TemplateRenderer } from './renderer.ts';

/** Of a template, as in its table */
const NAME = /^[a-z0-9][a-z0-9._-]{0,99}$/;
export const MAX_DATA_CHARACTERS = 100_000;
const MAX_DATA_DEPTH = 20;
/** Of all messages of one request. */
const MAX_RENDER_MS = 5_000;

type Fields = Record<string, unknown>;
export type FilledResult = { ok: true; body: unknown } | { ok: false; refusal: Refusal };

/** For the messages of one request: a template is looked up once, and together they get a few seconds. */
export class TemplateFiller {
  readonly #db: Queryable;
  readonly #renderer: TemplateRenderer;
  readonly #credential: Pick<DomainCredential, 'organizationId' | 'domainId'>;
  readonly #known = new Map<number | string, TemplateContent | undefined>();
  #spentMs = 0;

  constructor(
    db: Queryable,
    renderer: TemplateRenderer,
    credential: Pick<DomainCredential, 'organizationId' | 'domainId'>,
  ) {
    this.#db = db;
    this.#renderer = renderer;
    this.#credential = credential;
  }

  /** The request's own subject goes before the template's; a body beside a template is a mistake. */
  async fill(body: unknown): Promise<FilledResult> {
    if (typeof body !== 'object' || body === null || Array.isArray(body)) return { ok: true, body };
    const { template: name, template_data: data, ...rest } = body as Fields;
    if (isAbsent(name)) return { ok: true, body };
    const key = readKey(name);
    if (key === undefined) return refuse({ template: ['is not an id or a name'] });
    for (const field of ['htmlbody', 'textbody']) {
      if (!isAbsent(rest[field])) return refuse({ [field]: ['cannot be given with a template'] });
    }
    const read = readData(data);
    if (!read.ok) return refuse({ template_data: [read.problem] });
    const template = await this.#find(key);
    if (!template) return refuse({ template: ['does not exist'] });
    if (this.#spentMs > MAX_RENDER_MS) return refuse({ template: ['takes too long'] });
    const rendered = await this.#renderer.render(this.#credential.organizationId, template, read.data);
    this.#spentMs += rendered.tookMs;
    if (!rendered.ok) return refuse(rendered.errors);
    const { subject, htmlbody, textbody } = rendered.content;
    return {
      ok: true,
      body: { ...rest, subject: isAbsent(rest.subject) ? subject : rest.subject, htmlbody, textbody },
    };
  }

  async #find(key: number | string): Promise<TemplateContent | undefined> {
    if (!this.#known.has(key))
      this.#known.set(key, await findUsableTemplate(this.#db, this.#credential, key));
    return this.#known.get(key);
  }
}

/** What a template is filled with: a JSON object, as large as a mail can use. */
export function readData(value: unknown): { ok: true; data: object } | { ok: false; problem: string } {
  if (isAbsent(value)) return { ok: true, data: {} };
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { ok: false, problem: 'is not an object' };
  }
  if (isDeeper(value, MAX_DATA_DEPTH)) {
    return { ok: false, problem: `is nested more than ${MAX_DATA_DEPTH} deep` };
  }
  if (JSON.stringify(value).length > MAX_DATA_CHARACTERS) {
    return { ok: false, problem: `is longer than ${MAX_DATA_CHARACTERS} characters` };
  }
  return { ok: true, data: value };
}

function isDeeper(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return depth === 0 || Object.values(value).some((inner) => isDeeper(inner, depth - 1));
}

/** Names are never digits alone, so these are an id. */
function readKey(key: unknown): number | string | undefined {
  if (typeof key === 'number') return Number.isSafeInteger(key) ? key : undefined;
  if (typeof key !== 'string') return undefined;
  if (/^[1-9]\d{0,14}$/.test(key)) return Number(key);
  return NAME.test(key) ? key : undefined;
}

function refuse(errors: Record<string, string[]>): FilledResult {
  return { ok: false, refusal: { code: 400, body: { errors } } };
}
