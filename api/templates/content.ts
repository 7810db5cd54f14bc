/** The texts of a template: whether they can be read, and what they become with data. */
import type { TemplateContent } from '../models/template.ts';
import { parseTemplate, renderTemplate } from './liquid.ts';

/** In the order in which a sender would fix them. */
const parts = [
  ['subject', 'text'],
  ['htmlbody', 'html'],
  ['textbody', 'text'],
] as const;

/** Texts by field, as the contract has them (1.3) */
export type Errors = Record<string, string[]>;

export type ContentResult = { ok: true; content: TemplateContent } | { ok: false; errors: Errors };

/** The problems of each text, with the line; empty when all can be read. */
export function checkContent(content: Partial<TemplateContent>): Errors {
  const errors: Errors = {};
  for (const [part] of parts) {
    const source = content[part];
    const parsed = source ? parseTemplate(source) : undefined;
    if (parsed && !parsed.ok) errors[part] = [`line ${parsed.line}: ${parsed.problem}`];
  }
  return errors;
}

/** All or nothing: whatever is missing anywhere is named by its path in `template_data`. */
export function renderContent(template: TemplateContent, data: object): ContentResult {
  const content: TemplateContent = { subject: null, htmlbody: null, textbody: null };
  const errors: Errors = {};
  for (const [part, format] of parts) {
    const source = template[part];
    if (source === null) continue;
    const rendered = renderTemplate(source, format, data);
    if (rendered.ok) content[part] = rendered.text;
    else if (rendered.reason === 'failed') errors[`template.${part}`] = [rendered.problem];
    else for (const name of rendered.variables) errors[`template_data.${name}`] = ['undefined field'];
  }
  return Object.keys(errors).length > 0 ? { ok: false, errors } : { ok: true, content };
}
