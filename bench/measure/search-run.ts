/** bench/search: searches one after the other through the running api, and what they took. */
import Type from 'typebox';
import Value from 'typebox/value';
import { credentialsOf, type Sample, type SearchKind } from '../world/searches.ts';
import { percentile } from './statistics.ts';

export interface SearchRequest {
  url: string;
  headers: Record<string, string>;
}

export interface SearchResult {
  name: string;
  searches: number;
  latencyMs: { p50: number; p99: number; max: number };
  /** Messages on a page, on average */
  found: number;
  /** Answered after the search's own time limit, with a part of the page */
  unfinished: number;
  slowest: SearchRequest;
}

const pageSchema = Type.Object({
  messages: Type.Array(Type.Unknown()),
  next_cursor: Type.Union([Type.String(), Type.Null()]),
});

const PAGE = 50;

/** @throws when the api fails, or does not find what is there */
export async function measureSearches(
  url: string,
  kind: SearchKind,
  samples: readonly Sample[],
): Promise<SearchResult> {
  const requests = samples.flatMap((sample) => describeRequest(url, kind, sample));
  const answers = [];
  for (const request of requests) {
    const startedAt = performance.now();
    const page = await ask(request);
    const ms = performance.now() - startedAt;
    const found = page.messages.length;
    if (found === 0 && !kind.mayBeVain) throw new Error(`${kind.name}: ${request.url} found nothing`);
    answers.push({ request, ms, found, isUnfinished: found < PAGE && page.next_cursor !== null });
  }
  return summarizeAnswers(kind.name, answers);
}

interface Answer {
  request: SearchRequest;
  ms: number;
  found: number;
  isUnfinished: boolean;
}

/** Pure. @param answers at least one */
export function summarizeAnswers(name: string, answers: readonly Answer[]): SearchResult {
  const times = answers.map(({ ms }) => ms);
  const [slowest] = answers.toSorted((a, b) => b.ms - a.ms);
  if (!slowest) throw new RangeError(`${name}: there is no message to search for`);
  return {
    name,
    searches: answers.length,
    latencyMs: { p50: percentile(times, 0.5), p99: percentile(times, 0.99), max: percentile(times, 1) },
    found: answers.reduce((sum, { found }) => sum + found, 0) / answers.length,
    unfinished: answers.filter(({ isUnfinished }) => isUnfinished).length,
    slowest: slowest.request,
  };
}

export const searchTableHead = row('ms', ['p50', 'p99', 'worst', 'found', 'unfinished']);

export function formatSearchResult({ name, latencyMs, found, unfinished }: SearchResult): string {
  const times = Object.values(latencyMs).map((ms) => ms.toFixed(1));
  return row(name, [...times, found.toFixed(1), String(unfinished)]);
}

function row(name: string, cells: readonly string[]): string {
  return name.padEnd(28) + cells.map((cell) => cell.padStart(11)).join('');
}

function describeRequest(url: string, kind: SearchKind, sample: Sample): SearchRequest[] {
  const query = kind.ask(sample);
  if (!query) return [];
  const search = new URLSearchParams({ ...query, limit: String(PAGE) });
  return [{ url: `${url}/api/v1/messages?${search}`, headers: credentialsOf(kind, sample) }];
}

export async function ask({ url, headers }: SearchRequest) {
  const response = await fetch(url, { headers });
  const body = await response.text();
  if (response.status !== 200) throw new Error(`${url}: ${response.status} ${body}`);
  return Value.Parse(pageSchema, JSON.parse(body));
}
