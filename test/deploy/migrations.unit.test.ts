import assert from 'node:assert/strict';
import { projectRoot } from '../../deploy/local/installation.ts';
import {
  findContractions,
  findObstacles,
  lintMigrations,
  type Migration,
} from '../../deploy/migrations/contract.ts';
import { listReleaseMigrations, readVersion } from '../../deploy/migrations/release-migrations.ts';

/** They came with the first release, before which none ran. Nothing is added here. */
const BEFORE_THE_FIRST_RELEASE = ['0002_partitions.sql', '0042_domain_lifecycle.sql'];

describe('the migrations', () => {
  it('only add, or are marked', () => {
    const migrations = listReleaseMigrations(projectRoot);
    assert.ok(migrations.length > 30);

    const later = migrations.filter(({ name }) => !BEFORE_THE_FIRST_RELEASE.includes(name));
    assert.deepEqual(lintMigrations(later, readVersion(projectRoot)), []);
  });
});

describe('findContractions', () => {
  const contractions: [sql: string, found: string][] = [
    ['drop table sessions;', 'drops a table'],
    ['alter table a\n  drop column b;', 'drops a column'],
    ['ALTER TABLE a RENAME COLUMN b TO c;', 'renames'],
    ['alter table a rename to b;', 'renames'],
    ['alter table a alter column b type bigint;', 'changes the type of a column'],
    ['alter table a alter column b set not null;', 'demands a value of a column'],
    ['alter table a alter column b drop default;', 'takes the default of a column'],
    ['alter table a drop constraint a_name_key;', 'drops a_name_key, which an upsert may name'],
    ['alter table a add column b text not null;', 'demands a value of the new column b'],
    [
      'alter table a add column b text default 1, add column c text not null;',
      'demands a value of the new column c',
    ],
    [
      "alter table a add column b text not null check (b in ('x', 'y'));",
      'demands a value of the new column b',
    ],
  ];
  for (const [sql, found] of contractions)
    it(`finds: ${sql}`, () => assert.deepEqual(findContractions({ sql }), [found]));

  const additions = [
    'create table a (b text not null);',
    'alter table a add column b text;',
    "alter table a add column b text not null default '';",
    "alter table a add column b text not null default 'x' check (b <> ''), add column c text;",
    'alter table a alter column b drop not null;',
    'alter table a drop constraint a_kind_check, add constraint a_kind_check check (true);',
    'drop index a_due;',
    '-- drop table a;\nselect 1;',
    'create function f() returns void language plpgsql as $$ begin drop table a; end $$;',
  ];
  for (const sql of additions)
    it(`finds nothing in: ${sql}`, () => assert.deepEqual(findContractions({ sql }), []));
});

describe('lintMigrations', () => {
  const lint = (sql: string) => lintMigrations([{ name: '0200_a.sql', sql }], '0.3.0');

  it('takes what nothing has used since an earlier version', () => {
    assert.deepEqual(lint('-- contract: a.b, unused since 0.2.0\nalter table a drop column b;'), []);
  });

  it('refuses what has no mark, or was used until now', () => {
    assert.match(
      lint('alter table a drop column b;').join(),
      /^0200_a\.sql: drops a column: wait for a later version/,
    );
    assert.match(
      lint('-- contract: a.b, unused since 0.3.0\nalter table a drop column b;').join(),
      /^0200_a\.sql: a\.b may go in a version after 0\.3\.0 at the earliest/,
    );
  });
});

describe('findObstacles (DP-3)', () => {
  const contract: Migration = {
    name: '0200_a.sql',
    sql: '-- contract: a.b, unused since 0.10.0\ndrop table b;',
  };
  const known = new Map([
    ['0100_b.sql', { name: '0100_b.sql', sql: 'create table b ();' }],
    ['0200_a.sql', contract],
  ]);
  const obstacles = (version: string, applied: string[]) =>
    findObstacles({ version, migrations: new Set(['0001_c.sql']) }, applied, known);

  it('lets older code run where only was added, or what was taken it does not use', () => {
    assert.deepEqual(obstacles('0.1.0', ['0001_c.sql', '0100_b.sql']), []);
    assert.deepEqual(obstacles('0.10.0', ['0200_a.sql']), []);
  });

  it('refuses code that uses what was taken, and what is not known', () => {
    assert.match(
      obstacles('0.9.0', ['0200_a.sql']).join(),
      /^0200_a\.sql takes a\.b, which is used before version 0\.10\.0; this is 0\.9\.0/,
    );
    assert.match(
      obstacles('0.9.0', ['0300_x.sql']).join(),
      /0300_x\.sql was applied by a release that is no longer here/,
    );
  });
});
