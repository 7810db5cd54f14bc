/**
 * Expand, then contract (docs/upgrade.md): a migration may only add what the release before does not mind, for that one
 * runs on while the next comes up, and again after a rollback. One that takes away or demands says so, and since which
 * version nothing uses it any more:
 *
 *   -- contract: messages.subject_words, unused since 0.3.0
 */

export interface Contract {
  what: string;
  /** The first version that does without */
  unusedSince: string;
}

export interface Migration {
  /** 0042_domain_lifecycle.sql */
  name: string;
  sql: string;
}

const MARK = /^-- contract: (?<what>.+), unused since (?<unusedSince>\d+\.\d+\.\d+)$/m;

/** undefined: it only adds. */
export function readContract({ sql }: Pick<Migration, 'sql'>): Contract | undefined {
  const { what, unusedSince } = MARK.exec(sql)?.groups ?? {};
  return what && unusedSince ? { what, unusedSince } : undefined;
}

/** What the code of the release before may trip over. Looser rules, as a constraint that goes, are none of it. */
const CONTRACTIONS: [RegExp, string][] = [
  [/\bdrop (table|view|materialized view|function|procedure|type|sequence|schema|trigger)\b/, 'drops a $1'],
  [/\bdrop column\b/, 'drops a column'],
  // Of `on conflict`
  [/\bdrop constraint (?:if exists )?(\w+_p?key)\b/, 'drops $1, which an upsert may name'],
  [/\brename\b/, 'renames'],
  [/\balter column \w+ (?:set data )?type\b/, 'changes the type of a column'],
  [/\bset not null\b/, 'demands a value of a column'],
  [/\bdrop default\b/, 'takes the default of a column'],
];
/** @returns what of the migration is not mere addition, for people */
export function findContractions({ sql }: Pick<Migration, 'sql'>): string[] {
  const statements = withoutBodies(sql);
  const found = CONTRACTIONS.flatMap(([pattern, says]) => {
    const match = pattern.exec(statements);
    return match ? [says.replace('$1', match[1] ?? '')] : [];
  });
  for (const clause of statements.split(';').flatMap((statement) => newColumns(statement))) {
    if (/\bnot null\b/.test(clause.rest) && !/\bdefault\b|\bgenerated\b/.test(clause.rest))
      found.push(`demands a value of the new column ${clause.column}`);
  }
  return found;
}

/** @param version of the project that the migrations are in; @returns what is wrong with them, each with its name */
export function lintMigrations(migrations: readonly Migration[], version: string): string[] {
  return migrations.flatMap((migration) => {
    const contract = readContract(migration);
    if (contract && compareVersions(contract.unusedSince, version) >= 0)
      return [
        `${migration.name}: ${contract.what} may go in a version after ${contract.unusedSince} at the earliest`,
      ];
    if (contract) return [];
    return findContractions(migration).map(
      (what) =>
        `${migration.name}: ${what}: wait for a later version, and mark it with "-- contract: …, unused since x.y.z"`,
    );
  });
}

/**
 * Why a release cannot run on a schema.
 * @param applied names of the migrations that made it, or will have
 * @param known those of all releases that are at hand, by name
 * @returns one reason a migration; empty where the release can run
 */
export function findObstacles(
  target: { version: string; migrations: ReadonlySet<string> },
  applied: readonly string[],
  known: ReadonlyMap<string, Migration>,
): string[] {
  return applied
    .filter((name) => !target.migrations.has(name))
    .flatMap((name) => {
      const migration = known.get(name);
      if (!migration)
        return [`${name} was applied by a release that is no longer here: what it took is not known`];
      const contract = readContract(migration);
      if (!contract || compareVersions(target.version, contract.unusedSince) >= 0) return [];
      return [
        `${name} takes ${contract.what}, which is used before version ${contract.unusedSince}; this is ${target.version}`,
      ];
    });
}

export function compareVersions(one: string, other: string): number {
  const parts = other.split('.').map(Number);
  for (const [index, part] of one.split('.').map(Number).entries()) {
    const difference = part - (parts[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** In lower case and on one line, without comments and the bodies of functions, which are code and run later. */
function withoutBodies(sql: string): string {
  return sql
    .replaceAll(/--.*$/gm, '')
    .replaceAll(/\$(\w*)\$[\s\S]*?\$\1\$/g, "''")
    .replaceAll(/\s+/g, ' ')
    .toLowerCase();
}

/** Of a table that is there: to a new one nobody writes yet. */
function newColumns(statement: string): { column: string; rest: string }[] {
  if (!/\balter table\b/.test(statement)) return [];
  return statement
    .split(/\badd column (?:if not exists )?/)
    .slice(1)
    .map((clause) => ({
      column: clause.split(' ')[0] ?? '',
      rest: clause.split(/, (?:add|drop|alter) /)[0] ?? '',
    }));
}
