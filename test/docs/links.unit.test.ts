import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { projectRoot } from '../../deploy/local/installation.ts';

const LINK = /\]\((?!https?:|mailto:)([^)\s#]*)(?:#([^)\s]*))?\)/g;

describe('links between the pages', () => {
  const pages = [
    ...globSync(join(projectRoot, '*.md')),
    ...globSync(join(projectRoot, '{docs,config,deploy,bench,test}/**/*.md')),
  ].map((path) => relative(projectRoot, path));

  for (const page of pages) {
    it(`lead somewhere: ${page}`, () => {
      const text = withoutCode(readFileSync(join(projectRoot, page), 'utf8'));
      const dead = [...text.matchAll(LINK)]
        .map(([, path = '', anchor]) => ({ path: path ? join(dirname(page), path) : page, anchor }))
        .filter(({ path, anchor }) => !leadsSomewhere(path, anchor));

      assert.deepEqual(dead, []);
    });
  }
});

function leadsSomewhere(path: string, anchor: string | undefined): boolean {
  const file = join(projectRoot, path);
  if (!existsSync(file)) return false;
  return !anchor || !path.endsWith('.md') || listAnchors(readFileSync(file, 'utf8')).includes(anchor);
}

/** As GitHub makes them of headings. */
function listAnchors(text: string): string[] {
  return [...withoutCode(text).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

function withoutCode(text: string): string {
  return text.replace(/^```.*?^```/gms, '');
}
