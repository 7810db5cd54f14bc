/** What a schema has against a value, in one line that names the field: for settings and other files people write. */

/** @param error of typebox's Value.Errors */
export function describeError(error: {
  instancePath: string;
  keyword: string;
  message: string;
  params: object;
}): string {
  const path = error.instancePath.slice(1).replaceAll('/', '.') || '(top level)';
  const { additionalProperties: unknown, allowedValues } = error.params as {
    additionalProperties?: string[];
    allowedValues?: unknown[];
  };
  if (allowedValues) return `${path}: must be one of ${allowedValues.join(', ')}`;
  if (unknown)
    return unknown
      .map((key) => `${path === '(top level)' ? '' : `${path}.`}${key}: unknown setting`)
      .join('; ');
  return `${path}: ${error.message}`;
}
