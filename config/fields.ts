/** The kinds of field that the sections of the settings are made of. */
import Type from 'typebox';

export const port = (value: number, description: string) =>
  Type.Integer({ minimum: 1, maximum: 65535, default: value, description });
export const rate = (value: number, description: string) =>
  Type.Number({ exclusiveMinimum: 0, maximum: 1, default: value, description });
export const positive = (value: number, description: string) =>
  Type.Integer({ minimum: 1, default: value, description });
export const section = <T extends Record<string, Type.TSchema>>(properties: T) =>
  Type.Object(properties, { additionalProperties: false, default: {} });
