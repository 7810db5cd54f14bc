/**
 * Reads a list in CSV (RFC 4180), a portion of it in memory at a time. The first line names the columns, in any order and case;
 * those that are not ours are passed over. What is wrong with a line is said of that line, and the others go on.
 */
import { CsvError, parse } from 'csv-parse';
import { type Column, columns, unguardCell } from './cells.ts';

/** A line holds an address, a note of 1,000 characters and a few words. */
const MAX_LINE_CHARACTERS = 10_000;

export interface Problem {
  /** In the file, from 1 */
  line: number;
  /** Null: the line as a whole */
  column: string | null;
  problem: string;
}

export type Cells = Partial<Record<Column, string>>;

export type Line =
  | { ok: true; line: number; cells: Cells }
  /** `isLast`: what follows cannot be read. */
  | { ok: false; isLast: boolean; problem: Problem };

/** @param file its bytes, in portions of a bounded size: the lines of one are in memory together */
export async function* readLines(file: AsyncIterable<Buffer>): AsyncGenerator<Line> {
  let head: (Column | undefined)[] | undefined;
  let last = 0;
  for await (const { records, problem } of createReader().read(file)) {
    for (const { record, line } of records) {
      last = line;
      if (head) yield toLine(record, line, head);
      else {
        head = record.map(readColumn);
        if (!head.includes('address')) return yield refuseFile(line, 'address', MISSING_COLUMN);
      }
    }
    if (problem) return yield refuseFile(last + 1, null, problem);
  }
  if (!head) yield refuseFile(1, null, 'the file is empty');
}

interface Portion {
  records: { record: string[]; line: number }[];
  /** What follows cannot be read. */
  problem: string | undefined;
}

/** The parser as a stream would drop the lines before a mistake with it: what it reads is taken from its callback. */
function createReader() {
  let records: Portion['records'] = [];
  const parser = parse({
    bom: true,
    trim: true,
    skip_empty_lines: true,
    max_record_size: MAX_LINE_CHARACTERS,
    // A mistake is a line's own: the parser would end with it.
    relax_column_count: true,
    relax_quotes: true,
    on_record(record: string[], { lines: line }) {
      records.push({ record, line });
      return null;
    },
  });
  parser.on('error', () => {}); // the callbacks have it
  parser.resume();

  /** @param part undefined: that was all */
  async function parsePart(part: Buffer | undefined): Promise<Portion> {
    const ended = Promise.withResolvers<Error | null | undefined>();
    if (part) parser.write(part, ended.resolve);
    else parser.end(ended.resolve);
    const error = await ended.promise;
    if (error && !(error instanceof CsvError)) throw error;
    const portion = { records, problem: error ? (texts[error.code] ?? 'cannot be read as CSV') : undefined };
    records = [];
    return portion;
  }

  return {
    async *read(file: AsyncIterable<Buffer>): AsyncGenerator<Portion> {
      for await (const part of file) yield await parsePart(part);
      yield await parsePart(undefined);
    },
  };
}

const MISSING_COLUMN = 'the first line names the columns, and this is not among them';

const texts: Partial<Record<CsvError['code'], string>> = {
  CSV_MAX_RECORD_SIZE: `is longer than ${MAX_LINE_CHARACTERS} characters, or has a quote that is not closed`,
  CSV_QUOTE_NOT_CLOSED: 'has a quote that is not closed',
};

function toLine(record: readonly string[], line: number, head: readonly (Column | undefined)[]): Line {
  if (record.length !== head.length) {
    const problem = `has ${record.length} cells, the first line ${head.length}`;
    return { ok: false, isLast: false, problem: { line, column: null, problem } };
  }
  const cells: Cells = {};
  record.forEach((text, index) => {
    const column = head[index];
    if (column) cells[column] = unguardCell(text);
  });
  return { ok: true, line, cells };
}

function readColumn(text: string): Column | undefined {
  return columns.find((column) => column === text.toLowerCase());
}

function refuseFile(line: number, column: string | null, problem: string): Line {
  return { ok: false, isLast: true, problem: { line, column, problem } };
}
