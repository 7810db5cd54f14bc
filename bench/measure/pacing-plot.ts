/** What was possible, and what each policy got through, as an SVG. */
import { SAMPLE_MS, type Sample } from './pacing-run.ts';

const WIDTH = 960;
const HEIGHT = 360;
const MARGIN = 48;

export function plotPacing(runs: Readonly<Record<string, readonly Sample[]>>, durationMs: number): string {
  const [first = []] = Object.values(runs);
  const perSecond = (count: number) => count / (SAMPLE_MS / 1000);
  const top = 1.1 * Math.max(...first.map(({ possible }) => perSecond(possible)));
  const x = (at: number) => MARGIN + (at / durationMs) * (WIDTH - 2 * MARGIN);
  const y = (rate: number) => HEIGHT - MARGIN - (rate / top) * (HEIGHT - 2 * MARGIN);
  const line = (samples: readonly Sample[], key: 'possible' | 'taken' | 'refused', colour: string) =>
    `<polyline fill="none" stroke="${colour}" stroke-width="1.5" points="${samples
      .map((sample) => `${x(sample.at).toFixed(1)},${y(perSecond(sample[key])).toFixed(1)}`)
      .join(' ')}"/>`;
  const label = (text: string, at: number, height: number, colour = '#333') =>
    `<text x="${at}" y="${height}" fill="${colour}">${text}</text>`;
  const colours = ['#1565c0', '#e65100'];
  const lines = Object.entries(runs).flatMap(([name, samples], index) => {
    const colour = colours[index % colours.length] ?? '#333';
    const at = MARGIN + 250 * (index + 1);
    return [line(samples, 'taken', colour), label(`${name}: delivered a second`, at, 24, colour)];
  });
  const minutes = Math.round(durationMs / 60_000);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="13">`,
    '<title>Throughput beside the hidden limit of a provider, over time</title>',
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<path d="M${MARGIN} ${MARGIN}V${HEIGHT - MARGIN}H${WIDTH - MARGIN}" fill="none" stroke="#999"/>`,
    line(first, 'possible', '#2e7d32'),
    ...lines,
    label('hidden limit a second', MARGIN, 24, '#2e7d32'),
    label('0 min', MARGIN, HEIGHT - 20),
    label(`${minutes} min`, WIDTH - MARGIN - 40, HEIGHT - 20),
    label(top.toFixed(0), 10, MARGIN + 5),
    label('0', 30, HEIGHT - MARGIN),
    '</svg>',
    '',
  ].join('\n');
}
