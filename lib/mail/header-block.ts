/** Takes a raw message apart without changing a byte: its header fields, and the rest from the empty line on. */

/** RFC 5322 2.2: printable ASCII without the colon, which follows at once */
const FIELD_NAME = /^[!-9;-~]+$/;
const LINE_END = Buffer.from('\r\n');
const SPACE = 0x20;
const TAB = 0x09;
const COLON = 0x3a;

export interface HeaderField {
  /** Lower case; empty when the line is no header field (no colon, odd name, whitespace before the colon). */
  name: string;
  /** The field's bytes with all its folded lines and the last line end. */
  raw: Buffer;
  /** The body of the field, unfolded (RFC 5322 2.2.3) and trimmed; bytes that are not UTF-8 become U+FFFD. */
  value: string;
}

export interface SplitMessage {
  fields: HeaderField[];
  /** The empty line and the body; without an empty line nothing. */
  rest: Buffer;
}

/** Lines end with CRLF. The raw bytes of all fields and `rest`, one after the other, are the message again. */
export function splitMessage(message: Buffer): SplitMessage {
  const fields: HeaderField[] = [];
  let position = 0;
  while (position < message.length && !isEmptyLine(message, position)) {
    const end = findFieldEnd(message, position);
    fields.push(readField(message.subarray(position, end)));
    position = end;
  }
  return { fields, rest: message.subarray(position) };
}

/** The message without the header fields of these (lower case) names; all other bytes stay. */
export function removeFields(message: Buffer, names: readonly string[]): Buffer {
  const { fields, rest } = splitMessage(message);
  const kept = fields.filter(({ name }) => !names.includes(name));
  return kept.length === fields.length ? message : Buffer.concat([...kept.map(({ raw }) => raw), rest]);
}

function isEmptyLine(message: Buffer, position: number): boolean {
  return message[position] === LINE_END[0] && message[position + 1] === LINE_END[1];
}

/** Behind the line end of the last line that is folded into the field. */
function findFieldEnd(message: Buffer, start: number): number {
  let end = start;
  do {
    const lineEnd = message.indexOf(LINE_END, end);
    end = lineEnd === -1 ? message.length : lineEnd + LINE_END.length;
  } while (message[end] === SPACE || message[end] === TAB);
  return end;
}

function readField(raw: Buffer): HeaderField {
  const colon = raw.indexOf(COLON);
  const name = raw.subarray(0, Math.max(colon, 0)).toString('latin1');
  const value = raw
    .subarray(colon + 1)
    .toString('utf8')
    .replaceAll('\r\n', '')
    .trim();
  return { name: FIELD_NAME.test(name) ? name.toLowerCase() : '', raw, value };
}
