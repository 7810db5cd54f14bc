/**
 * Liquid for templates of strangers. What a template can take is bounded: its length, the length of each tag, the
 * number of steps, the time, the memory of its values, the length of what it writes. It reads no file, includes no
 * other template, and sees nothing but the variables it is given.
 */
import {
  Context,
  type Emitter,
  Liquid,
  LiquidError,
  TagToken,
  type Template,
  Tokenizer,
  TokenKind,
  toValueSync,
} from 'liquidjs';
import { LRUCache } from 'lru-cache';

const MAX_TEMPLATE_CHARACTERS = 200_000;
const MAX_RENDERED_CHARACTERS = 2_000_000;
/** A single expression is evaluated without a look at the clock. */
const MAX_TAG_CHARACTERS = 2_000;
/** Of blocks within blocks: the time to read them grows with the square. */
const MAX_DEPTH = 50;
const MAX_STEPS = 20_000;
const MAX_MILLISECONDS = 200;
/** Characters and elements that filters may make. */
const MAX_MEMORY = 300_000;
const MAX_MISSING = 50;
/** Sources of templates that are kept parsed. */
const MAX_KEPT_CHARACTERS = 1_000_000;

/** `sample` shuffles for seconds, `tablerow` counts no steps; the others would look for files. */
const REMOVED_TAGS = ['include', 'render', 'layout', 'block', 'tablerow'];
const REMOVED_FILTERS = ['sample'];
const BLOCK_TAGS = new Set(['if', 'unless', 'case', 'for', 'capture', 'comment', 'raw']);

export type ParseResult = { ok: true; template: Template[] } | { ok: false; line: number; problem: string };

export type RenderResult =
  | { ok: true; text: string }
  /** Named by the template and not given */
  | { ok: false; reason: 'missing'; variables: string[] }
  | { ok: false; reason: 'failed'; problem: string };

const text = createEngine(undefined);
/** Whatever is written is escaped, unless the template says `| raw`. */
const html = createEngine('escape');

const parsed = new Map(
  [text, html].map((engine) => [
    engine,
    new LRUCache<string, Template[]>({
      maxSize: MAX_KEPT_CHARACTERS,
      sizeCalculation: (_, { length }) => length,
    }),
  ]),
);

export function parseTemplate(source: string): ParseResult {
  if (source.length > MAX_TEMPLATE_CHARACTERS) {
    return { ok: false, line: 1, problem: `is longer than ${MAX_TEMPLATE_CHARACTERS} characters` };
  }
  if (source.includes('\0')) return { ok: false, line: 1, problem: 'has a NUL' }; // Postgres stores none
  try {
    const oversize = findOversize(source);
    return oversize ? { ok: false, ...oversize } : { ok: true, template: text.parse(source) };
  } catch (error) {
    return { ok: false, ...describe(error) };
  }
}

/** @param format html: what is written is escaped */
export function renderTemplate(source: string, format: 'html' | 'text', variables: object): RenderResult {
  const engine = format === 'html' ? html : text;
  const output = new BoundedOutput();
  try {
    const context = new Context(variables, engine.options, { sync: true, templateLimit: MAX_STEPS });
    toValueSync(engine.renderer.renderTemplates(parseOnce(engine, source), context, output));
    return { ok: true, text: output.buffer };
  } catch (error) {
    const missing = listMissing(error);
    if (missing.length > 0) return { ok: false, reason: 'missing', variables: missing };
    const { line, problem } = describe(error);
    return { ok: false, reason: 'failed', problem: `line ${line}: ${problem}` };
  }
}

/** Many messages of one template come one after the other. */
function parseOnce(engine: Liquid, source: string): Template[] {
  const known = parsed.get(engine)?.get(source);
  if (known) return known;
  const oversize = findOversize(source);
  if (oversize) throw new Error(oversize.problem);
  const template = engine.parse(source);
  parsed.get(engine)?.set(source, template);
  return template;
}

function createEngine(outputEscape: 'escape' | undefined): Liquid {
  const engine = new Liquid({
    strictVariables: true,
    strictFilters: true,
    // `{% if x %}` and `| default:` are how a template says that a variable may be missing.
    lenientIf: true,
    ownPropertyOnly: true,
    catchAllErrors: true,
    timezoneOffset: 0,
    locale: 'en-US',
    parseLimit: MAX_TEMPLATE_CHARACTERS,
    renderLimit: MAX_MILLISECONDS,
    memoryLimit: MAX_MEMORY,
    templates: {},
    ...(outputEscape && { outputEscape }),
  });
  for (const name of REMOVED_TAGS) delete engine.tags[name];
  for (const name of REMOVED_FILTERS) delete engine.filters[name];
  return engine;
}

class BoundedOutput implements Emitter {
  buffer = '';

  write(value: unknown): void {
    this.buffer += String(value ?? '');
    if (this.buffer.length > MAX_RENDERED_CHARACTERS) throw new Error('the text becomes too long');
  }
}

/** The first tag that is too long, or too deep. */
function findOversize(source: string): { line: number; problem: string } | undefined {
  let depth = 0;
  for (const token of new Tokenizer(source).readTopLevelTokens()) {
    const line = token.getPosition()[0] ?? 1;
    if (token.kind === TokenKind.HTML) continue;
    if (token.end - token.begin > MAX_TAG_CHARACTERS) {
      return { line, problem: `a tag is longer than ${MAX_TAG_CHARACTERS} characters` };
    }
    if (!(token instanceof TagToken)) continue;
    if (token.name.startsWith('end')) depth -= 1;
    else if (BLOCK_TAGS.has(token.name)) depth += 1;
    if (depth > MAX_DEPTH) return { line, problem: `blocks are nested more than ${MAX_DEPTH} deep` };
  }
  return undefined;
}

/** With `catchAllErrors` all errors of a run come as one that has them in `errors`. */
function listErrors(error: unknown): unknown[] {
  return error instanceof Error && 'errors' in error && Array.isArray(error.errors)
    ? error.errors.flatMap(listErrors)
    : [error];
}

function listMissing(error: unknown): string[] {
  const names = listErrors(error).flatMap((each) => {
    const name = each instanceof Error && /undefined variable: ([^,]+)/.exec(each.message)?.[1];
    return name ? [name] : [];
  });
  return [...new Set(names)].slice(0, MAX_MISSING);
}

function describe(error: unknown): { line: number; problem: string } {
  const [first] = listErrors(error);
  if (!(first instanceof Error)) return { line: 1, problem: 'is not a template' };
  const line = LiquidError.is(first) ? (first.token.getPosition()[0] ?? 1) : 1;
  return { line, problem: first.message.replace(/, line:\d+, col:\d+$/, '').slice(0, 200) };
}
