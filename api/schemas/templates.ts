import Type, { type Static } from 'typebox';
import { errorSchema, managementFailures, moment, nullable } from './replies.ts';

const name = Type.String({
  pattern: '^(?=.*[^0-9])[a-z0-9][a-z0-9._-]{0,99}$',
  description: 'Small letters, digits, dots, hyphens, underscores; not digits alone',
});
/** Length and content are checked with the Liquid in it, which says what is wrong in which line. */
const source = (description: string) => Type.Optional(nullable(Type.String({ description })));
const content = {
  subject: source('Liquid, one line'),
  htmlbody: source('Liquid; what it writes is HTML-escaped, unless it says | raw'),
  textbody: source('Liquid'),
};

const summarySchema = Type.Object({
  id: Type.Integer(),
  name: Type.String(),
  domain: nullable(Type.String({ description: 'null: every domain of the organization' })),
  created_at: moment,
  updated_at: moment,
});
export type TemplateSummaryBody = Static<typeof summarySchema>;

const text = nullable(Type.String());
const templateSchema = Type.Object({
  ...summarySchema.properties,
  subject: text,
  htmlbody: text,
  textbody: text,
});
export type TemplateBody = Static<typeof templateSchema>;

const failures = { 400: errorSchema, ...managementFailures };
const params = Type.Object({ id: Type.String() });

export const listTemplatesSchema = {
  response: { 200: Type.Object({ templates: Type.Array(summarySchema) }), ...failures },
};
export const showTemplateSchema = { params, response: { 200: templateSchema, ...failures } };
export const createTemplateSchema = {
  body: Type.Object({
    name,
    domain: Type.Optional(
      nullable(Type.String({ maxLength: 253, description: 'Empty or absent: all of the organization' })),
    ),
    ...content,
  }),
  response: { 201: templateSchema, ...failures },
};
export const updateTemplateSchema = {
  params,
  body: Type.Object({ name: Type.Optional(name), ...content }),
  response: { 200: templateSchema, ...failures },
};
export const deleteTemplateSchema = {
  params,
  response: { 200: Type.Object({ message: Type.String() }), ...failures },
};
export const previewTemplateSchema = {
  params,
  body: Type.Object({
    template_data: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), { description: 'As in a send request' }),
    ),
  }),
  response: { 200: Type.Object({ subject: text, htmlbody: text, textbody: text }), ...failures },
};
