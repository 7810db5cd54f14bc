import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Context } from '../app.ts';
import { findOwnedDomain, type ListOwner } from '../models/list-owner.ts';
import {
  createTemplate,
  deleteTemplate,
  findTemplate,
  listTemplates,
  MAX_TEMPLATES,
  type MailTemplate,
  type SaveResult,
  type TemplateChanges,
  type TemplateSummary,
  updateTemplate,
} from '../models/template.ts';
import { change } from '../plugins/audit.ts';
import { NOT_FOUND } from '../plugins/errors.ts';
import { authenticateOwner, NO_SUCH_DOMAIN, ownerOf } from '../plugins/list-owner.ts';
import {
  createTemplateSchema,
  deleteTemplateSchema,
  listTemplatesSchema,
  previewTemplateSchema,
  showTemplateSchema,
  type TemplateBody,
  type TemplateSummaryBody,
  updateTemplateSchema,
} from '../schemas/templates.ts';
import { readData } from '../templates/fill.ts';
import { readId } from './id.ts';

const refusals = {
  taken: { errors: { name: ['has already been taken'] } },
  too_many: { errors: { request: [`there are ${MAX_TEMPLATES} templates already`] } },
  no_body: { errors: { htmlbody: ['undefined field'], textbody: ['undefined field'] } },
};

export function templateRoutes({ store, templates }: Context): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.addHook('onRequest', authenticateOwner(store.pool));

    app.get('/templates', { schema: listTemplatesSchema }, async (request) => ({
      templates: (await listTemplates(store.pool, ownerOf(request))).map(toSummary),
    }));

    app.get('/templates/:id', { schema: showTemplateSchema }, async (request, reply) => {
      const template = await findTemplate(store.pool, readId(request.params.id), ownerOf(request));
      return template ? toTemplate(template) : reply.code(404).send(NOT_FOUND);
    });

    app.post('/templates', { schema: createTemplateSchema }, async (request, reply) => {
      const { name, domain, ...texts } = request.body;
      const owner = await findOwnedDomain(store.pool, ownerOf(request), domain ?? undefined);
      if (!owner) return reply.code(422).send(NO_SUCH_DOMAIN);
      const content = { subject: null, htmlbody: null, textbody: null, ...withoutEmpty(texts) };
      const errors = await templates.check(owner.organizationId, content);
      if (errors) return reply.code(422).send({ errors });
      const result = await change(
        store,
        request,
        (tx) => createTemplate(tx, { ...owner, name, ...content }),
        (saved) => describeSaved('created', owner, saved),
      );
      return result.ok
        ? reply.code(201).send(toTemplate(result.template))
        : reply.code(422).send(refusals[result.reason]);
    });

    app.patch('/templates/:id', { schema: updateTemplateSchema }, async (request, reply) => {
      const owner = ownerOf(request);
      const { name, ...texts } = request.body;
      const changes: TemplateChanges = { ...(name && { name }), ...withoutEmpty(texts) };
      const errors = await templates.check(owner.organizationId, changes);
      if (errors) return reply.code(422).send({ errors });
      const result = await change(
        store,
        request,
        (tx) => updateTemplate(tx, readId(request.params.id), owner, changes),
        (saved) => saved && describeSaved('changed', owner, saved),
      );
      if (!result) return reply.code(404).send(NOT_FOUND);
      return result.ok ? toTemplate(result.template) : reply.code(422).send(refusals[result.reason]);
    });

    app.delete('/templates/:id', { schema: deleteTemplateSchema }, async (request, reply) => {
      const owner = ownerOf(request);
      const deleted = await change(
        store,
        request,
        (tx) => deleteTemplate(tx, readId(request.params.id), owner),
        (template) => template && describeChange('deleted', owner, template),
      );
      return deleted ? { message: 'Template deleted' } : reply.code(404).send(NOT_FOUND);
    });

    app.post('/templates/:id/preview', { schema: previewTemplateSchema }, async (request, reply) => {
      const owner = ownerOf(request);
      const template = await findTemplate(store.pool, readId(request.params.id), owner);
      if (!template) return reply.code(404).send(NOT_FOUND);
      const read = readData(request.body.template_data);
      if (!read.ok) return reply.code(422).send({ errors: { template_data: [read.problem] } });
      const rendered = await templates.render(owner.organizationId, template, read.data);
      return rendered.ok ? rendered.content : reply.code(422).send({ errors: rendered.errors });
    });
  };
}

/** An empty text is none. */
function withoutEmpty<T extends Record<string, string | null>>(texts: T): T {
  return Object.fromEntries(Object.entries(texts).map(([part, text]) => [part, text || null])) as T;
}

function describeSaved(action: 'created' | 'changed', owner: ListOwner, saved: SaveResult) {
  return saved.ok ? describeChange(action, owner, saved.template) : undefined;
}

function describeChange(
  action: 'created' | 'changed' | 'deleted',
  { organizationId }: ListOwner,
  { id, name, domain }: TemplateSummary,
) {
  const details = { domain };
  return { organizationId, action: `template.${action}`, subject: name, subjectId: id, details };
}

function toSummary({ id, name, domain, createdAt, updatedAt }: TemplateSummary): TemplateSummaryBody {
  const [created_at, updated_at] = [createdAt.toISOString(), updatedAt.toISOString()];
  return { id, name, domain, created_at, updated_at };
}

function toTemplate(template: MailTemplate): TemplateBody {
  const { subject, htmlbody, textbody } = template;
  return { ...toSummary(template), subject, htmlbody, textbody };
}
