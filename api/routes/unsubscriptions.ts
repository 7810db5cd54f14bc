/**
 * Where one-click links lead (RFC 8058). GET shows a button and changes nothing, because scanners follow links; POST
 * unsubscribes, as often as it comes. Neither asks who is there: the token is enough, and a token that is none of ours
 * is 404 without a look into the database.
 */
import type { FastifyInstance, FastifyPluginAsync, FastifyReply } from 'fastify';
import {
  readUnsubscribeToken,
  UNSUBSCRIBE_PATH,
  type Unsubscription,
  unsubscribeKey,
} from '../../lib/unsubscribe.ts';
import type { Context } from '../app.ts';
import { inTransaction } from '../database.ts';
import { unsubscribe } from '../models/unsubscription.ts';
import { askPage, donePage, unknownPage } from '../views/unsubscribe.ts';

const PATH = `${UNSUBSCRIBE_PATH}/:token`;
/** A form with one field, however wordy its multipart borders are. */
const MAX_BODY_BYTES = 4_096;
/** RFC 8058 3.1, as either kind of form has it */
const ONE_CLICK = /(?:^|&)List-Unsubscribe=One-Click(?:&|$)|name="List-Unsubscribe"\r?\n\r?\nOne-Click\r?\n/;

/** Nothing on the pages comes from elsewhere, nobody frames them, and their address, a key, is told to nobody. */
const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
};

interface Link {
  Params: { token: string };
}

export function unsubscriptionRoutes({ store, settings }: Context): FastifyPluginAsync {
  const key = unsubscribeKey(settings.secrets.key);

  return async (app) => {
    acceptForms(app);

    app.get<Link>(PATH, { exposeHeadRoute: false }, async (request, reply) => {
      const unsubscription = readUnsubscribeToken(request.params.token, key);
      return unsubscription ? answer(reply, 200, askPage(unsubscription)) : answer(reply, 404, unknownPage());
    });

    app.post<Link & { Body: unknown }>(PATH, { bodyLimit: MAX_BODY_BYTES }, async (request, reply) => {
      const unsubscription = readUnsubscribeToken(request.params.token, key);
      if (!unsubscription) return answer(reply, 404, unknownPage());
      const isOneClick = typeof request.body === 'string' && ONE_CLICK.test(request.body);
      if (!isOneClick) return answer(reply, 400, askPage(unsubscription));
      await save(unsubscription);
      return answer(reply, 200, donePage(unsubscription));
    });
  };

  function save(unsubscription: Unsubscription): Promise<void> {
    return inTransaction(store, (tx) => unsubscribe(tx, unsubscription));
  }
}

function acceptForms(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    ['application/x-www-form-urlencoded', 'multipart/form-data'],
    { parseAs: 'string' },
    async (_request: unknown, body: string | Buffer) => String(body),
  );
}

function answer(reply: FastifyReply, status: number, page: string): FastifyReply {
  return reply.code(status).headers(HEADERS).send(page);
}
