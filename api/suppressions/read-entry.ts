/** What a line of a list asks for, by the rules of `POST /suppressions`. */
import { normalizeAddress, normalizeDomain } from '../../lib/mail/address.ts';
import {
  lists,
  MAX_NOTE_CHARACTERS,
  type NewSuppression,
  suppressionReasons,
  suppressionStreams,
} from '../models/suppression.ts';
import type { Cells, Problem } from './read-csv.ts';

/** `2026-01-31T18:00:00Z`, as exports have it; a date alone is its midnight in UTC. */
const MOMENT = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/;

export interface EntryScope {
  organizationId: number;
  /** For lines that name no domain; undefined: every domain of the organization */
  domainId: number | undefined;
  /** Ids of the domains that lines may name, by name */
  domains: ReadonlyMap<string, number>;
  now: Date;
}

export type EntryResult = { ok: true; entry: NewSuppression } | { ok: false; problem: Problem };

export function readEntry(line: number, cells: Cells, scope: EntryScope): EntryResult {
  const refuse = (column: string, problem: string): EntryResult => ({
    ok: false,
    problem: { line, column, problem },
  });
  if (!cells.address) return refuse('address', 'undefined field');
  const address = normalizeAddress(cells.address)?.toLowerCase();
  if (!address) return refuse('address', 'is invalid');
  const list = readWord(cells.list, lists, 'block');
  if (!list) return refuse('list', `is none of ${lists.join(', ')}`);
  const stream = readWord(cells.stream, suppressionStreams, 'all');
  if (!stream) return refuse('stream', `is none of ${suppressionStreams.join(', ')}`);
  const reason = readWord(cells.reason, suppressionReasons, 'imported');
  if (!reason) return refuse('reason', `is none of ${suppressionReasons.join(', ')}`);
  const domainId = cells.domain ? scope.domains.get(normalizeDomain(cells.domain) ?? '') : scope.domainId;
  if (cells.domain && domainId === undefined) return refuse('domain', 'is not a domain of this token');
  const note = cells.note || undefined;
  if (note && (note.length > MAX_NOTE_CHARACTERS || /\p{Cc}/u.test(note)))
    return refuse('note', 'is invalid');
  const expiresAt = cells.expires_at ? readMoment(cells.expires_at) : undefined;
  if (cells.expires_at && !expiresAt) return refuse('expires_at', 'is invalid');
  if (expiresAt && expiresAt <= scope.now) return refuse('expires_at', 'is in the past');
  const { organizationId } = scope;
  return { ok: true, entry: { organizationId, domainId, list, address, stream, reason, note, expiresAt } };
}

/** Undefined: it is none of them. */
function readWord<Word extends string>(
  text: string | undefined,
  words: readonly Word[],
  otherwise: Word,
): Word | undefined {
  return text ? words.find((word) => word === text.toLowerCase()) : otherwise;
}

function readMoment(text: string): Date | undefined {
  const moment = MOMENT.test(text) ? new Date(text) : undefined;
  return moment && !Number.isNaN(moment.getTime()) ? moment : undefined;
}
