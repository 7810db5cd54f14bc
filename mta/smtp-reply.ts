/** What of a server's lines is a reply (RFC 5321 4.2), before anybody acts on it. */

/** Codes of 2xx to 5xx: those with a digit above 5 in the middle are no standard and are in use. */
const LINE = /^([2-5]\d\d)(?:[ -]|$)/;
const QUOTED_CHARACTERS = 80;

/**
 * @param reply all its lines, joined by LF
 * @returns what is wrong with it; undefined: nothing
 */
export function findReplyProblem(reply: string): string | undefined {
  let code: string | undefined;
  for (const line of reply.split('\n')) {
    const found = LINE.exec(line)?.[1];
    if (found === undefined) return `no SMTP reply: ${quote(line)}`;
    code ??= found;
    // 250 in one line and 550 in the next: whoever reads only one of them is wrong.
    if (found !== code) return `a reply of two codes, ${code} and ${found}`;
  }
  return undefined;
}

function quote(text: string): string {
  return JSON.stringify(text.length > QUOTED_CHARACTERS ? `${text.slice(0, QUOTED_CHARACTERS)}…` : text);
}
