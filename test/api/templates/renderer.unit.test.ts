import assert from 'node:assert/strict';
import { createTemplateRenderer, type TemplateRenderer } from '../../../api/templates/renderer.ts';

const texts = (textbody: string) => ({ subject: null, htmlbody: null, textbody });

/** Within the limits of Liquid, and slow all the same: one expression is evaluated without a look at the clock. */
const condition = Array.from({ length: 80 }, () => 'word contains letter').join(' or ');
const SLOW = texts(`{{ words | where_exp: "word", "${condition}" | size }}`);
const slowData = { letter: 'b', words: Array.from({ length: 9_000 }, () => 'aaaaaaaa') };

describe('api/templates/renderer', () => {
  let renderer: TemplateRenderer;
  beforeEach(() => {
    renderer = createTemplateRenderer();
  });
  afterEach(() => renderer.close());

  it('renders in a thread', async () => {
    const rendered = await renderer.render(1, texts('Hello {{ name }}'), { name: 'Ada' });

    assert.deepEqual(rendered.ok && rendered.content, texts('Hello Ada'));
  });

  it('checks without rendering', async () => {
    assert.equal(await renderer.check(1, { htmlbody: '{{ nobody }}' }), undefined);
    assert.match((await renderer.check(1, { htmlbody: 'a\n{% if %}' }))?.htmlbody?.[0] ?? '', /^line 2: /);
  });

  it('ends what takes too long, without holding up its process, and goes on (MB-8)', async () => {
    const started = performance.now();
    let ticks = 0;
    const timer = setInterval(() => ticks++, 20);
    const slow = await renderer.render(1, SLOW, slowData);
    clearInterval(timer);

    assert.deepEqual(slow.ok || slow.errors, { template: ['takes too long'] });
    assert.ok(performance.now() - started < 10_000);
    assert.ok(ticks > 10, `${ticks} ticks`);
    assert.equal((await renderer.render(1, texts('x'), {})).ok, true);
  });

  it('lets organizations take turns', async () => {
    const order: string[] = [];
    const render = async (organizationId: number, name: string) => {
      await renderer.render(organizationId, texts('x'), {});
      order.push(name);
    };
    await Promise.all([render(1, 'a1'), render(1, 'a2'), render(1, 'a3'), render(2, 'b1')]);

    assert.deepEqual(order, ['a1', 'a2', 'b1', 'a3']);
  });
});
