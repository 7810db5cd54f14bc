/** SMTP replies of our own making. RFC 5321 4.2 (codes), RFC 3463 and RFC 5248 (enhanced codes). */

const MAX_TEXT_BYTES = 400;

export interface Reply {
  code: number;
  /** RFC 3463 */
  enhanced: string;
  /** One line */
  text: string;
}

export function createReply(code: number, enhanced: string, text: string): Reply {
  return { code, enhanced, text };
}

/** The reply with another text, as far as a reply can carry it: printable ASCII, at most 400 bytes. */
export function withText({ code, enhanced }: Pick<Reply, 'code' | 'enhanced'>, text: string): Reply {
  return { code, enhanced, text: text.replaceAll(/[^ -~]+/g, '?').slice(0, MAX_TEXT_BYTES) };
}

/** The text with its enhanced code in front, as it stands on the wire behind the code (RFC 2034 4). */
export function formatReply({ enhanced, text }: Reply): string {
  return `${enhanced} ${text}`;
}
