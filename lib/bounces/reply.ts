/** An SMTP reply as it stands in a log, an event or a Diagnostic-Code field. */
export interface Reply {
  /** Three digits; undefined where there was no reply at all */
  code: number | undefined;
  /** Enhanced status code, `5.1.1` (RFC 3463) */
  status: string | undefined;
  text: string;
}

/** RFC 5321 4.2: the digit in the middle is at most 5. */
const CODE = /(?<![\d.])([245][0-5]\d)(?=[\s-]|$)/;
/** RFC 3463 2. */
const STATUS = /(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)/;
/** Of the protocol, where a mail server tells the story of its attempt. */
const LONGEST_TEXT = 4_000;

/** Finds the first code and the first enhanced status code in the text. */
export function parseReply(text: string): Reply {
  const bounded = text.slice(0, LONGEST_TEXT);
  const code = CODE.exec(bounded)?.[1];
  return {
    code: code === undefined ? undefined : Number(code),
    status: STATUS.exec(bounded)?.[1],
    text: bounded,
  };
}
