import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Context } from '../app.ts';
import { type Held, listHeld, refuseHeld, releaseHeld } from '../models/spam-review.ts';
import { change } from '../plugins/audit.ts';
import { authenticateOperator } from '../plugins/authentication.ts';
import { NOT_FOUND } from '../plugins/errors.ts';
import { decideSpamReviewSchema, type HeldBody, listSpamReviewsSchema } from '../schemas/spam-reviews.ts';
import { readId } from './id.ts';

/** Messages that are held because of their spam score, and what an operator decides about them. */
export function spamReviewRoutes({ store }: Context): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.addHook('onRequest', authenticateOperator(store.pool));

    app.get('/spam_reviews', { schema: listSpamReviewsSchema }, async (request) =>
      (await listHeld(store.pool, request.query)).map(toHeld),
    );

    for (const [path, review, decide] of [
      ['release', 'released', releaseHeld],
      ['refusal', 'refused', refuseHeld],
    ] as const) {
      app.post(`/spam_reviews/:id/${path}`, { schema: decideSpamReviewSchema }, async (request, reply) => {
        const id = readId(request.params.id);
        const held = await change(
          store,
          request,
          (tx) => decide(tx, id),
          (decided) =>
            decided && {
              organizationId: decided.organizationId,
              action: `message.${review}`,
              subject: decided.subject ?? '',
              subjectId: id,
              details: {},
            },
        );
        return held ? { id, review } : reply.code(404).send(NOT_FOUND);
      });
    }
  };
}

function toHeld({
  id,
  organizationId,
  domain,
  fromHeader,
  subject,
  recipients,
  spam,
  createdAt,
}: Held): HeldBody {
  return {
    id,
    organization_id: organizationId,
    domain,
    from: fromHeader,
    subject,
    recipients,
    score: spam.score,
    symbols: spam.symbols,
    created_at: createdAt.toISOString(),
  };
}
