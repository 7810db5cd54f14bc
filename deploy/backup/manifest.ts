/** What a backup says about itself: at its head what it takes to make room for it, at its end what must be there. */
import Type, { type Static } from 'typebox';
import Value from 'typebox/value';

export const HEAD = 'head.json';
export const MANIFEST = 'manifest.json';
export const OBJECTS = 'objects';
const FORMAT = 1;

export type DatabaseName = 'app' | 'queue';

const tableSchema = Type.Object({ name: Type.String(), columns: Type.Array(Type.String()) });

const databaseHeadSchema = Type.Object({
  migrations: Type.Array(Type.String()),
  /** In an order in which no row comes before one that it refers to */
  tables: Type.Array(tableSchema),
});

const headSchema = Type.Object({
  format: Type.Literal(FORMAT),
  /** Of Postern */
  version: Type.String(),
  createdAt: Type.String(),
  instanceId: Type.String(),
  app: databaseHeadSchema,
  queue: databaseHeadSchema,
  /** Bounds of the ranges of ids that messages are partitioned by */
  partitions: Type.Array(Type.Object({ lower: Type.Integer(), upper: Type.Integer() })),
});

const databaseManifestSchema = Type.Object({
  tables: Type.Record(Type.String(), Type.Object({ rows: Type.Integer(), digest: Type.String() })),
  /** Last value by name; those that gave none yet are absent */
  sequences: Type.Record(Type.String(), Type.String()),
});

const manifestSchema = Type.Object({
  app: databaseManifestSchema,
  queue: databaseManifestSchema,
  /** Null: no object storage was configured */
  objects: Type.Union([Type.Null(), Type.Object({ count: Type.Integer(), bytes: Type.Integer() })]),
});

export type Table = Static<typeof tableSchema>;
export type Head = Static<typeof headSchema>;
export type Manifest = Static<typeof manifestSchema>;
export type DatabaseManifest = Static<typeof databaseManifestSchema>;

export function writeHead(head: Omit<Head, 'format'>): Buffer {
  return Buffer.from(JSON.stringify({ format: FORMAT, ...head }, null, 2));
}

/** @throws where it is not a head that we know */
export function readHead(text: string): Head {
  const head: unknown = JSON.parse(text);
  if (Value.Check(headSchema, head)) return head;
  throw new Error('the backup is of a format that this release does not know');
}

export function writeManifest(manifest: Manifest): Buffer {
  return Buffer.from(JSON.stringify(manifest, null, 2));
}

/** @throws where it is none */
export function readManifest(text: string): Manifest {
  return Value.Parse(manifestSchema, JSON.parse(text));
}

/** As `app/public.messages/000001.copy` */
export function entryName(database: DatabaseName, table: string, number: number): string {
  return `${database}/${table}/${String(number).padStart(6, '0')}.copy`;
}

/** Undefined: not rows of a table */
export function parseEntryName(name: string): { database: DatabaseName; table: string } | undefined {
  const { database, table } = /^(?<database>app|queue)\/(?<table>[^/]+)\/\d+\.copy$/.exec(name)?.groups ?? {};
  return database && table ? { database: database as DatabaseName, table } : undefined;
}
