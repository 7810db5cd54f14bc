/** What the schemas of several resources have in common, above all the bodies of the contract that are no success (1.3). */
import Type from 'typebox';

export const errorSchema = Type.Object({ error: Type.String() });

export const errorsSchema = Type.Object({
  errors: Type.Record(Type.String(), Type.Array(Type.String())),
});

export const anyErrorSchema = Type.Union([errorSchema, errorsSchema]);

/** What any public route may answer before it is asked, or because it could not answer. */
export const commonReplies = {
  400: anyErrorSchema,
  406: errorSchema,
  413: errorSchema,
  429: errorSchema,
  500: Type.Null({ description: 'Something is wrong with us; the log has it under the X-Request-Id' }),
  503: errorSchema,
};

/**
 * Of the routes that manage: 401 is a token that is missing, wrong, revoked or expired, 403 one that is not for this
 * route or this client; 404 is another's thing too.
 */
export const managementFailures = {
  401: errorSchema,
  403: errorSchema,
  404: errorSchema,
  406: errorSchema,
  422: errorsSchema,
  503: errorSchema,
};

export const moment = Type.String({ format: 'date-time' });

/** Text for people; no control characters. */
export const singleLine = Type.String({ maxLength: 200, pattern: '^[^\\u0000-\\u001f]*$' });

export const nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

/** Of lists by pages, newest first (routes/cursor.ts) */
export const pageQuery = {
  limit: Type.Integer({ minimum: 1, maximum: 200, default: 50 }),
  cursor: Type.Optional(Type.String({ maxLength: 100, description: 'next_cursor of the page before' })),
};
export const nextCursor = nullable(Type.String({ description: 'null: this is the last page' }));
