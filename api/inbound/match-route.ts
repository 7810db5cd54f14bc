/**
 * Which of a host's routes gets an address. The narrowest does: the address itself, the address without its tag
 * (sub-addressing), the pattern with most characters of its own, everything.
 */

export interface MatchableRoute {
  kind: 'exact' | 'pattern' | 'catch_all';
  /** Lower case; with `*` in a pattern */
  localPart: string;
  /** `name+tag` is `name`. */
  subaddressing: boolean;
}

/** @param localPart lower case */
export function matchRoute<R extends MatchableRoute>(routes: readonly R[], localPart: string): R | undefined {
  const untagged = localPart.replace(/(?<=.)\+.*$/s, '');
  const isExact = (name: string) => (route: R) => route.kind === 'exact' && route.localPart === name;
  const patterns = routes.filter(({ kind }) => kind === 'pattern').toSorted(byWidth);
  return (
    routes.find(isExact(localPart)) ??
    routes.filter(({ subaddressing }) => subaddressing).find(isExact(untagged)) ??
    patterns.find((route) => matchesPattern(route.localPart, localPart)) ??
    routes.find(({ kind }) => kind === 'catch_all')
  );
}

/** `*` stands for any characters, or none. Piece by piece, so that no pattern takes longer than another (no regular expression). */
export function matchesPattern(pattern: string, text: string): boolean {
  const [first = '', ...pieces] = pattern.split('*');
  const last = pieces.pop();
  if (last === undefined) return pattern === text;
  if (!text.startsWith(first) || !text.endsWith(last)) return false;
  let position = first.length;
  for (const piece of pieces) {
    const found = text.indexOf(piece, position);
    if (found === -1) return false;
    position = found + piece.length;
  }
  return position <= text.length - last.length;
}

/** The most characters of its own first; of two alike, the first in the alphabet. */
function byWidth(a: MatchableRoute, b: MatchableRoute): number {
  const own = ({ localPart }: MatchableRoute) => localPart.replaceAll('*', '').length;
  return own(b) - own(a) || (a.localPart < b.localPart ? -1 : 1);
}
