/** Words and scripts of the POSIX shell. */

/** One word, whatever is in it. */
export function quote(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/** A script that ends at the first command that fails, with variables of these values. */
export function script(variables: Readonly<Record<string, string>>, body: string): string {
  const assignments = Object.entries(variables).map(([name, value]) => `${name}=${quote(value)}`);
  return [
    'set -eu',
    // What is written may be read by the users of the services.
    'umask 022',
    ...assignments,
    body.trim(),
  ].join('\n');
}
