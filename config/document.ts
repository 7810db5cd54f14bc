/** `node config/document.ts`: writes docs/settings.md from the schema. A test fails while it is out of date. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { environmentVariables } from './environment.ts';
import { settingsSchema } from './schema.ts';

const FILE = join(import.meta.dirname, '../docs/settings.md');

/** What the page needs of a JSON schema. */
interface Schema {
  type?: string;
  enum?: unknown[];
  items?: Schema;
  minimum?: number;
  maximum?: number;
  default?: unknown;
  description?: string;
  properties?: Record<string, Schema>;
}

const INTRODUCTION = `<!-- Written by "node config/document.ts" from config/schema.ts. Change it there. -->

# Settings

Every setting has a default that works on one machine. What differs goes into \`postern.toml\` in the directory of the
installation (\`var/\`, or \`POSTERN_DIRECTORY\`), or into the file that \`POSTERN_CONFIG\` names:

\`\`\`toml
hostname = "mail.example.com"

[gateway]
starttlsPort = 587
\`\`\`

Secrets and facts of the host go into \`postern.env\` beside it, one \`KEY=VALUE\` a line and readable by its owner only,
or into the environment. The later wins: default, \`postern.toml\`, \`postern.env\`, environment.

A process with an unknown setting, a value out of range or a weak secret does not start: it lists every problem and
exits with code 78. \`bin/postern config check\` does the same check and prints the settings in effect, secrets masked.

## Environment variables

`;

/** The whole page. */
export function documentSettings(): string {
  const schema = JSON.parse(JSON.stringify(settingsSchema)) as Schema;
  const entries = Object.entries(schema.properties ?? {});
  const plain = entries.filter(([, { properties }]) => !properties);
  const sections = entries.flatMap(([name, { properties }]) => (properties ? [{ name, properties }] : []));
  const variables = Object.entries(environmentVariables).map(([variable, path]) => [
    `\`${variable}\``,
    `\`${path.join('.')}\``,
  ]);
  return [
    `${INTRODUCTION}${tabulate(['variable', 'setting'], variables)}\n`,
    `## General\n\n${describeSettings(plain)}\n`,
    ...sections.map(
      ({ name, properties }) => `## [${name}]\n\n${describeSettings(Object.entries(properties))}\n`,
    ),
  ].join('\n');
}

function describeSettings(entries: [string, Schema][]): string {
  const rows = entries.map(([name, schema]) => [
    `\`${name}\``,
    describeType(schema),
    describeDefault(schema.default),
    escapePipes(schema.description ?? ''),
  ]);
  return tabulate(['setting', 'type', 'default', 'meaning'], rows);
}

/** Columns as wide as their widest cell: the formatter would do the same. */
function tabulate(heading: string[], rows: string[][]): string {
  const widths = heading.map((cell, column) =>
    Math.max(cell.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const format = (row: string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const rule = widths.map((width) => '-'.repeat(width));
  return [heading, rule, ...rows].map(format).join('\n');
}

function describeType({ type, items, minimum, maximum, enum: values }: Schema): string {
  if (values) return values.map((value) => `\`${value}\``).join(', ');
  if (items) return `list of ${items.type}`;
  if (minimum === undefined) return type ?? '';
  return maximum === undefined ? `${type}, at least ${minimum}` : `${type}, ${minimum} to ${maximum}`;
}

function describeDefault(value: unknown): string {
  if (value === '' || value === undefined) return '';
  return `\`${Array.isArray(value) ? JSON.stringify(value).replaceAll(',', ', ') : value}\``;
}

function escapePipes(text: string): string {
  return text.replaceAll('|', '\\|');
}

if (import.meta.main) writeFileSync(FILE, documentSettings());
