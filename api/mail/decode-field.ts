import { simpleParser } from 'mailparser';
import type { HeaderField } from '../../lib/mail/header-block.ts';

/** The value of a field with its encoded words (RFC 2047) decoded. mailparser does so in a subject only. */
export async function decodeField({ raw, value }: HeaderField): Promise<string> {
  if (!value.includes('=?')) return value;
  const asSubject = Buffer.concat([Buffer.from('Subject'), raw.subarray(raw.indexOf(':'))]);
  return (await simpleParser(asSubject)).subject ?? '';
}
