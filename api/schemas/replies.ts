/** The bodies of the contract that are no success (1.3). */
import Type from 'typebox';

export const errorSchema = Type.Object({ error: Type.String() });

export const errorsSchema = Type.Object({
  errors: Type.Record(Type.String(), Type.Array(Type.String())),
});

export const anyErrorSchema = Type.Union([errorSchema, errorsSchema]);
