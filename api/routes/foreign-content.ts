/**
 * Headers for what a sender wrote and we only pass on. A browser that shows it runs no script of it, loads nothing from
 * elsewhere, submits no form, and takes it for nothing else than it is said to be.
 */
const CONTENT_POLICY = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'";

export const inertHeaders = {
  'content-security-policy': CONTENT_POLICY,
  'x-content-type-options': 'nosniff',
  'cache-control': 'private, no-store',
} as const;

/** The same, to be kept as a file of this name. */
export function fileHeaders(name: string) {
  return { ...inertHeaders, 'content-disposition': asFile(name) };
}

/** To be kept as a file (RFC 6266); whatever the name is, it stays within its quotes and within its folder. */
function asFile(name: string): string {
  const plain = name
    .toWellFormed()
    .replaceAll(/[\p{Cc}\p{Cf}/\\]/gu, '_')
    .slice(0, MAX_NAME_CHARACTERS);
  const ascii = plain.replaceAll(/[^ -~]|["%]/g, '_');
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encodeParameter(plain)}`;
}

const MAX_NAME_CHARACTERS = 200;

/** RFC 8187 3.2.1: what encodeURIComponent leaves and the grammar does not */
function encodeParameter(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
