/**
 * The rules by which a reply is classified: config/bounces/*.toml, data that an operator can add to.
 *
 * A file with a `site` (config/sites/) speaks of one provider only and is asked first; then the others, in the order of their names.
 * Within a file the first rule that matches decides.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse as parseToml } from 'smol-toml';
import Type, { type Static } from 'typebox';
import Value from 'typebox/value';
import { type Phrase, parsePhrase } from './phrase.ts';
import { type Action, type BounceClass, isAction, isBounceClass } from './taxonomy.ts';

const DIRECTORY = fileURLToPath(new URL('../../config/bounces/', import.meta.url));

const ruleSchema = Type.Object(
  {
    class: Type.String(),
    phrases: Type.Optional(Type.Array(Type.String(), { minItems: 1 })),
    unless: Type.Optional(Type.Array(Type.String(), { minItems: 1 })),
    status: Type.Optional(
      Type.Array(Type.String({ pattern: '^[245*]\\.\\d{1,3}\\.(\\d{1,3}|\\*)$' }), { minItems: 1 }),
    ),
    code: Type.Optional(Type.Array(Type.String({ pattern: '^[245]\\d{0,2}$' }), { minItems: 1 })),
    hard: Type.Optional(Type.Boolean()),
    action: Type.Optional(Type.String()),
    example: Type.String({ minLength: 3 }),
  },
  { additionalProperties: false },
);
const fileSchema = Type.Object(
  { site: Type.Optional(Type.String({ minLength: 1 })), rule: Type.Array(ruleSchema, { minItems: 1 }) },
  { additionalProperties: false },
);

export interface Rule {
  /** `<file>:<number in it>`, as it is shown to people. */
  name: string;
  class: BounceClass;
  phrases: readonly Phrase[];
  unless: readonly Phrase[];
  status: readonly string[];
  code: readonly string[];
  isHard: boolean | undefined;
  action: Action | undefined;
  /** A reply that this rule decides; a test makes sure that it does. */
  example: string;
}

export interface RuleFile {
  name: string;
  /** Undefined: it speaks of everybody. */
  site: string | undefined;
  rules: readonly Rule[];
}

/** Reads and checks all files once. @throws with the file and the rule that is wrong */
export function loadRules(directory: string = DIRECTORY): RuleFile[] {
  const names = readdirSync(directory)
    .filter((name) => name.endsWith('.toml'))
    .sort();
  const files = names.map((name) =>
    readRules(name.replace(/\.toml$/, ''), readFileSync(`${directory}/${name}`, 'utf8')),
  );
  return [
    ...files.filter(({ site }) => site !== undefined),
    ...files.filter(({ site }) => site === undefined),
  ];
}

/** @param name of the file, for messages */
export function readRules(name: string, toml: string): RuleFile {
  const tree = parseToml(toml);
  // An unknown key is reported twice: at its parent, and as a value that "false" does not allow.
  const error = Value.Errors(fileSchema, tree).find(({ keyword }) => keyword !== 'boolean');
  if (error) throw new Error(`bounce rules ${name}: ${error.instancePath || '/'}: ${error.message}`);
  const file = tree as Static<typeof fileSchema>;
  const rules = file.rule.map((rule, index) => readRule(`${name}:${index + 1}`, rule));
  return { name, site: file.site, rules };
}

function readRule(name: string, rule: Static<typeof ruleSchema>): Rule {
  if (!isBounceClass(rule.class)) throw new Error(`bounce rule ${name}: there is no class ${rule.class}`);
  if (rule.action !== undefined && !isAction(rule.action)) {
    throw new Error(`bounce rule ${name}: there is no action ${rule.action}`);
  }
  if (!rule.phrases && !rule.status && !rule.code) {
    throw new Error(`bounce rule ${name}: needs phrases, status or code`);
  }
  return {
    name,
    class: rule.class,
    phrases: readPhrases(name, rule.phrases),
    unless: readPhrases(name, rule.unless),
    status: rule.status ?? [],
    code: rule.code ?? [],
    isHard: rule.hard,
    action: rule.action,
    example: rule.example,
  };
}

function readPhrases(name: string, phrases: readonly string[] = []): Phrase[] {
  return phrases.map((text) => {
    const phrase = parsePhrase(text);
    if (!phrase) throw new Error(`bounce rule ${name}: the phrase "${text}" is too short`);
    return phrase;
  });
}
