/**
 * Sites: the provider behind a recipient domain's MX. Millions of domains share a few of them, and they count
 * connections over all of those together, so limits, pace and pauses speak of sites.
 *
 * The rules are config/sites/*.toml, data that an operator can add to.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse as parseToml } from 'smol-toml';
import Type, { type Static } from 'typebox';
import Value from 'typebox/value';

const DIRECTORY = fileURLToPath(new URL('../config/sites/', import.meta.url));

const rangeSchema = Type.Object(
  {
    start: Type.Number({ exclusiveMinimum: 0 }),
    floor: Type.Number({ exclusiveMinimum: 0 }),
    ceiling: Type.Number({ exclusiveMinimum: 0 }),
  },
  { additionalProperties: false },
);
const paceSchema = Type.Object(
  { concurrency: rangeSchema, rate: rangeSchema },
  { additionalProperties: false },
);
const siteSchema = Type.Object(
  {
    name: Type.String({ pattern: '^[a-z][a-z0-9-]{0,62}$' }),
    mx: Type.Array(Type.String({ pattern: '^[a-z0-9][a-z0-9.-]*\\.[a-z]{2,}$' }), { minItems: 1 }),
    concurrency: Type.Optional(rangeSchema),
    rate: Type.Optional(rangeSchema),
  },
  { additionalProperties: false },
);
const fileSchema = Type.Object(
  { default: Type.Optional(paceSchema), site: Type.Optional(Type.Array(siteSchema)) },
  { additionalProperties: false },
);

/** Where a quantity begins, and between what it moves */
export type Range = Static<typeof rangeSchema>;

/** For one source address at one site */
export interface PaceRule {
  /** Deliveries at a time */
  concurrency: Range;
  /** Deliveries started a second */
  rate: Range;
}

export interface SiteRules {
  /** Suffixes of the names of MX hosts, with the site of each */
  siteOfSuffix: ReadonlyMap<string, string>;
  /** By site; one that is not here has `defaultPace` */
  paces: ReadonlyMap<string, PaceRule>;
  defaultPace: PaceRule;
}

/** Reads and checks all files. @throws with the file and the value that is wrong */
export function loadSiteRules(directory: string = DIRECTORY): SiteRules {
  const names = readdirSync(directory).filter((name) => name.endsWith('.toml'));
  return readSiteRules(
    Object.fromEntries(names.sort().map((name) => [name, readFileSync(`${directory}/${name}`, 'utf8')])),
  );
}

/** @param files TOML by file name */
export function readSiteRules(files: Readonly<Record<string, string>>): SiteRules {
  const trees = Object.entries(files).map(([name, toml]) => ({ name, tree: readTree(name, toml) }));
  const defaultPace = trees.find(({ tree }) => tree.default)?.tree.default;
  if (!defaultPace) throw new Error('site rules: no file has a [default]');
  checkRanges('default', defaultPace);
  const siteOfSuffix = new Map<string, string>();
  const paces = new Map<string, PaceRule>();
  for (const { name: file, tree } of trees) {
    for (const { name, mx, concurrency, rate } of tree.site ?? []) {
      const pace = { concurrency: concurrency ?? defaultPace.concurrency, rate: rate ?? defaultPace.rate };
      checkRanges(`${file}: ${name}`, pace);
      if (paces.has(name)) throw new Error(`site rules ${file}: ${name} is there twice`);
      paces.set(name, pace);
      for (const suffix of mx) {
        if (siteOfSuffix.has(suffix))
          throw new Error(`site rules ${file}: ${name}: ${suffix} is there twice`);
        siteOfSuffix.set(suffix, name);
      }
    }
  }
  return { siteOfSuffix, paces, defaultPace };
}

function readTree(name: string, toml: string): Static<typeof fileSchema> {
  const tree = parseToml(toml);
  const error = Value.Errors(fileSchema, tree).find(({ keyword }) => keyword !== 'boolean');
  if (error) throw new Error(`site rules ${name}: ${error.instancePath || '/'}: ${error.message}`);
  return tree as Static<typeof fileSchema>;
}

function checkRanges(where: string, pace: PaceRule): void {
  for (const [name, { start, floor, ceiling }] of Object.entries(pace) as [string, Range][]) {
    if (floor > start || start > ceiling)
      throw new Error(`site rules ${where}: ${name}: floor <= start <= ceiling does not hold`);
  }
}

/** Of this installation, read once a process. */
export const siteRules: SiteRules = loadSiteRules();

/** Under a country's domain a short second label is a registry's own: co.uk, com.au, or.jp. */
const REGISTRY_LABEL = /^(?:com?|net|org|gov|edu|ac|ne|or|go|gob|gub|nom|mil|id)$/;

/**
 * @param mxHosts host names of a domain's MX records, the preferred first, in any case
 * @returns the first known provider among them; otherwise the domain that the preferred host is of
 */
export function siteOf(mxHosts: readonly string[], rules: SiteRules = siteRules): string {
  const hosts = mxHosts.map((host) => host.toLowerCase().replace(/\.$/, ''));
  for (const host of hosts) {
    const site = providerOf(host, rules);
    if (site !== undefined) return site;
  }
  return domainOf(hosts[0] ?? '');
}

/** The site of one MX host: its name, in any case, with or without the final dot. */
export function siteOfMx(host: string): string {
  return siteOf([host]);
}

export function paceOf(site: string, rules: SiteRules = siteRules): PaceRule {
  return rules.paces.get(site) ?? rules.defaultPace;
}

function providerOf(host: string, { siteOfSuffix }: SiteRules): string | undefined {
  const labels = host.split('.');
  for (let start = 0; start < labels.length - 1; start++) {
    const site = siteOfSuffix.get(labels.slice(start).join('.'));
    if (site !== undefined) return site;
  }
  return undefined;
}

function domainOf(host: string): string {
  const labels = host.split('.');
  if (labels.length < 2 || /^[\d.:[\]]+$/.test(host)) return host;
  const isRegistry = labels.at(-1)?.length === 2 && REGISTRY_LABEL.test(labels.at(-2) ?? '');
  return labels.slice(isRegistry ? -3 : -2).join('.');
}
