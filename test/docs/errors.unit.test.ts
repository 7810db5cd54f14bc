import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { replies } from '../../gateway/replies.ts';

const ERROR = /\berror: '([^']+)'/g;

describe('docs/errors.md', () => {
  const page = readFileSync('docs/errors.md', 'utf8');

  it('has every `error` of the api', () => {
    const sources = globSync('api/{mail,plugins,routes}/*.ts').map((file) => readFileSync(file, 'utf8'));
    const errors = sources.flatMap((source) => [...source.matchAll(ERROR)].map(([, text]) => text ?? ''));
    assert.equal(errors.length > 20, true);
    assert.deepEqual(
      [...new Set(errors)].filter((text) => !page.includes(`\`${text}\``)),
      [],
    );
  });

  it('has every reply of the gateway that is a refusal', () => {
    const refusals = Object.values(replies).filter(({ code }) => code >= 400);
    const missing = refusals.filter(({ code, enhanced, text }) => {
      const row = page
        .split('\n')
        .find((line) => line.startsWith(`| ${code} ${enhanced} `) && line.includes(text));
      return row === undefined;
    });
    assert.deepEqual(
      missing.map(({ code, enhanced, text }) => `${code} ${enhanced} ${text}`),
      [],
    );
  });
});
