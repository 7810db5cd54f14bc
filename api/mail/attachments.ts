/** The attachments of a send request and their rules (contract 1.2). */
import { type FieldReader, hasControlCharacter, isAbsent } from './field-reader.ts';

export interface Attachment {
  filename: string;
  content: Buffer;
  /** Undefined: told by the extension. */
  contentType: string | undefined;
  /** Content-ID without brackets; its presence makes the disposition `inline`. */
  cid: string | undefined;
}

const ALLOWED_EXTENSIONS = new Set(
  'jpeg jpg png gif txt pdf docx xlsx pptx csv att ics ical html zip auf xml dwg'.split(' '),
);
const BLOCKED = 'Extension file type blocked, see Docs for full list of allowed file types';

const MAX_NAME_CHARACTERS = 255;
/** No path, and nothing that makes a name read otherwise than it is (bidirectional controls). */
const UNSAFE_NAME = /[/\\\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/;
/** RFC 2045 5.1, with parameters; composite types would change the structure of the message. */
const CONTENT_TYPE =
  /^(?!multipart\/|message\/)[a-z0-9][\w.+-]*\/[a-z0-9][\w.+-]*(?:[ \t]*;[ \t]*[\w-]+=(?:"[\w .+:-]*"|[\w.+-]+))*$/i;
const CID = /^[\w.!#$%&'*+/=?^`{|}~@-]{1,200}$/;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

export function readAttachments(reader: FieldReader): Attachment[] {
  const value = reader.value('attachments');
  if (value === undefined) return [];
  if (!Array.isArray(value)) {
    reader.refuseField('attachments', 'is invalid');
    return [];
  }
  return value.map((item) => readAttachment(reader, item)).filter((attachment) => attachment !== undefined);
}

function readAttachment(reader: FieldReader, item: unknown): Attachment | undefined {
  if (typeof item !== 'object' || item === null) return reader.refuseField('attachments', 'is invalid');
  const { name, content, content_type, cid } = item as Record<string, unknown>;
  const filename = readName(reader, name);
  const bytes = readContent(reader, content);
  const contentType = readPart(reader, 'content_type', content_type, CONTENT_TYPE);
  const contentId = readPart(reader, 'cid', bareCid(cid), CID);
  if (reader.problem || filename === undefined || bytes === undefined) return undefined;
  return { filename, content: bytes, contentType, cid: contentId };
}

function readName(reader: FieldReader, name: unknown): string | undefined {
  if (isAbsent(name)) return reader.refuseField('attachments.name', 'undefined field');
  if (typeof name !== 'string' || name.length > MAX_NAME_CHARACTERS || name.includes('\t')) {
    return reader.refuseField('attachments.name', 'is invalid');
  }
  if (hasControlCharacter(name)) return reader.refuseField('attachments.name', 'is invalid');
  const [stem, extension, ...more] = name.split('.');
  if (!stem || more.length > 0 || !ALLOWED_EXTENSIONS.has(extension?.toLowerCase() ?? '')) {
    return reader.refuseField('attachments.name', BLOCKED);
  }
  return UNSAFE_NAME.test(name) ? reader.refuseField('attachments.name', 'is invalid') : name;
}

/** Base64 with any whitespace in it; an empty file is a file. */
function readContent(reader: FieldReader, content: unknown): Buffer | undefined {
  if (content === undefined || content === null) {
    return reader.refuseField('attachments.content', 'undefined field');
  }
  const compact = typeof content === 'string' ? content.replaceAll(/\s+/g, '') : '*';
  if (!BASE64.test(compact) || compact.replace(/=+$/, '').length % 4 === 1) {
    return reader.refuseField('attachments.content', 'is invalid');
  }
  return Buffer.from(compact, 'base64');
}

function readPart(reader: FieldReader, field: string, value: unknown, pattern: RegExp): string | undefined {
  if (isAbsent(value)) return undefined;
  if (typeof value === 'string' && !hasControlCharacter(value) && pattern.test(value)) return value;
  return reader.refuseField(`attachments.${field}`, 'is invalid');
}

/** Clients write `<x>`, `x` and `cid:x` (contract 8.3). */
function bareCid(cid: unknown): unknown {
  return typeof cid === 'string' ? cid.replace(/^cid:/i, '').replace(/^<(.*)>$/, '$1') : cid;
}
