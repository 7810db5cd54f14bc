/** What passes between the renderer and its thread. */
import type { TemplateContent } from '../models/template.ts';
import type { Errors } from './content.ts';

export type Task =
  | { kind: 'check'; content: Partial<TemplateContent> }
  | { kind: 'render'; content: TemplateContent; data: object };

/** Of a check the content is null. */
export type Answer = { ok: true; content: TemplateContent | null } | { ok: false; errors: Errors };
