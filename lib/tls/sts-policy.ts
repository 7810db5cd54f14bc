/** What a domain says about TLS by MTA-STS (RFC 8461): reading its record and its policy. */

export interface StsPolicy {
  mode: 'enforce' | 'testing' | 'none';
  maxAgeSeconds: number;
  /** Lower case, A-labels; one may begin with `*.`. */
  mx: string[];
}

/** RFC 8461 3.2: a year */
const LONGEST_AGE_SECONDS = 31_557_600;
const MAX_MX = 100;
const MX_PATTERN = /^(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)+$/;

/**
 * The id of the TXT records at `_mta-sts.<domain>`. Undefined: the domain has no policy; several records are none (3.1).
 */
export function readStsId(records: readonly string[]): string | undefined {
  const [record, ...others] = records.filter((text) => /^v=STSv1\s*(?:;|$)/.test(text));
  if (record === undefined || others.length > 0) return undefined;
  return /(?:^|;)\s*id\s*=\s*([a-z0-9]{1,32})\s*(?:;|$)/i.exec(record)?.[1];
}

/** Undefined: it is not valid, as if there were none (3.2). Of a repeated field the first counts, but for mx. */
export function parseStsPolicy(text: string): StsPolicy | undefined {
  const fields = text
    .split(/\r?\n/)
    .map((line) => /^\s*([a-z0-9_.-]+)\s*:\s*(.*?)\s*$/i.exec(line))
    .filter((match) => match !== null);
  const values = (name: string) => fields.filter(([, key]) => key === name).map(([, , value = '']) => value);
  const [version] = values('version');
  const [mode] = values('mode');
  const [age = ''] = values('max_age');
  const mx = values('mx').map((pattern) => pattern.toLowerCase());
  if (version !== 'STSv1' || !/^\d{1,10}$/.test(age)) return undefined;
  if (mode !== 'enforce' && mode !== 'testing' && mode !== 'none') return undefined;
  if (mx.length > MAX_MX || !mx.every((pattern) => MX_PATTERN.test(pattern))) return undefined;
  if (mx.length === 0 && mode !== 'none') return undefined;
  return { mode, maxAgeSeconds: Math.min(Number(age), LONGEST_AGE_SECONDS), mx };
}

/** @param host lower case, without the root dot; a `*` stands for one label (4.1) */
export function allowsMx({ mx }: Pick<StsPolicy, 'mx'>, host: string): boolean {
  const parent = host.slice(host.indexOf('.') + 1);
  return mx.some((pattern) => pattern === host || pattern === `*.${parent}`);
}
