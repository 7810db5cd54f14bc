import assert from 'node:assert/strict';
import { parseTemplate, renderTemplate } from '../../../api/templates/liquid.ts';

const render = (source: string, variables: object = {}, format: 'html' | 'text' = 'html') =>
  renderTemplate(source, format, variables);
const textOf = (result: ReturnType<typeof render>) => (result.ok ? result.text : result);

describe('api/templates/liquid', () => {
  it('escapes in HTML what it writes, and not in text', () => {
    const variables = { name: '<b>"&' };
    assert.equal(textOf(render('Hi {{ name }}', variables)), 'Hi &lt;b&gt;&#34;&amp;');
    assert.equal(textOf(render('Hi {{ name | raw }}', variables)), 'Hi <b>"&');
    assert.equal(textOf(render('Hi {{ name }}', variables, 'text')), 'Hi <b>"&');
  });

  it('keeps what a capture holds escaped', () => {
    const source = '{% capture x %}{{ name }}{% endcapture %}{{ x | raw }}';
    assert.equal(textOf(render(source, { name: '<b>' })), '&lt;b&gt;');
  });

  it('names every variable that is missing, once', () => {
    assert.deepEqual(
      render('{{ a }} {{ user.name }} {{ a }} {% for i in items %}{% endfor %}', { user: {} }),
      {
        ok: false,
        reason: 'missing',
        variables: ['a', 'user.name', 'items'],
      },
    );
  });

  it('lets a template say what may be missing', () => {
    assert.equal(textOf(render('{% if a %}x{% endif %}{{ b | default: "you" }}')), 'you');
  });

  it('names the line of what cannot be read', () => {
    for (const [source, problem] of [
      ['a\nb\n{% for %}', /illegal tag/],
      ['a\nb\n{% nothing %}', /tag "nothing" not found/],
      ['a\nb\n{{ x | nothing }}', /undefined filter: nothing/],
      ['a\nb\n{% if x %}', /not closed/],
      ['a\nb\n{% include "x" %}', /tag "include" not found/],
      ['a\nb\n{% render "/etc/passwd" %}', /tag "render" not found/],
      [`a\nb\n{{ x ${'| upcase '.repeat(300)} }}`, /longer than 2000 characters/],
    ] as const) {
      const result = parseTemplate(source);
      assert.equal(result.ok, false, source);
      if (result.ok) continue;
      assert.equal(result.line, 3);
      assert.match(result.problem, problem);
    }
  });

  it('sees nothing but what it is given', () => {
    for (const name of [
      'constructor',
      '__proto__',
      'toString',
      'x.constructor',
      'x.__proto__.y',
      'process.env',
    ]) {
      const result = render(`{{ ${name} }}`, { x: {} });
      assert.equal(result.ok, false, name);
    }
  });

  describe('stops a hostile template', () => {
    const append = '{% assign a = a | append: a %}';
    const table: [string, string][] = [
      ['an endless loop', '{% for i in (1..100000000) %}{{ i }}{% endfor %}'],
      [
        'loops in loops',
        '{% for i in (1..9999) %}{% for j in (1..9999) %}{% for k in (1..9999) %}{% endfor %}{% endfor %}{% endfor %}',
      ],
      ['doubling text', `{% assign a = "aaaaaaaaaa" %}${append.repeat(60)}{{ a }}`],
      [
        'text that grows by replacing',
        `{{ x ${'| replace: "a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" '.repeat(20)} }}`,
      ],
      ['a long text, over and over', `{% for i in (1..9999) %}${'y'.repeat(50_000)}{% endfor %}`],
      ['a wide date', '{{ "now" | date: "%99999999d" }}'],
      ['deep nesting', '{% if true %}'.repeat(7_000) + '{% endif %}'.repeat(7_000)],
      ['blocks in blocks', '{% if true %}'.repeat(51) + '{% endif %}'.repeat(51)],
      [
        'captured loops',
        `{% for i in (1..9999) %}{% capture x %}{% for i in (1..9999) %}${'y'.repeat(5_000)}{% endfor %}{% endcapture %}{% endfor %}`,
      ],
    ];
    for (const [what, source] of table) {
      it(`${what} (MB-8)`, () => {
        const started = performance.now();
        const parsed = parseTemplate(source);
        const result = parsed.ok ? render(source, { x: 'a'.repeat(1_000) }) : parsed;
        assert.equal(result.ok, false);
        assert.ok(performance.now() - started < 3_000);
      });
    }

    it('of more than 200,000 characters', () => {
      assert.equal(parseTemplate('x'.repeat(200_001)).ok, false);
    });
  });
});
