import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const css = readFileSync('src/design/tokens.css', 'utf8');

/** The values of a block: of :root, of the dark scheme, or of the dark choice. */
function block(begin: string): Map<string, string> {
  const at = css.indexOf(begin);
  assert.notEqual(at, -1, begin);
  const text = css.slice(at + begin.length, css.indexOf('}', at));
  return new Map([...text.matchAll(/--([\w-]+):\s*([^;]+);/g)].map((m) => [m[1]!, m[2]!]));
}

const light = block(':root {');
const dark = new Map([...light, ...block(":root:not([data-theme='light']) {")]);

function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
}

function contrast(a: string, b: string): number {
  const [x, y] = [luminance(a), luminance(b)];
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
}

const surfaces = ['page', 'surface', 'raised', 'sunken'];
const texts = ['text', 'muted', 'accent', 'good', 'bad', 'warn', 'info', 'idle'];
const pairs: [string, string, number][] = [
  ...texts.flatMap((t) => surfaces.map((s): [string, string, number] => [t, s, 4.5])),
  ...['good', 'bad', 'warn', 'info', 'idle'].flatMap((t): [string, string, number][] => [[t, `${t}-soft`, 4.5], ['text', `${t}-soft`, 4.5]]),
  ['accent', 'accent-soft', 4.5], ['on-accent', 'accent', 4.5], ['on-halt', 'halt', 4.5], ['on-halt', 'halt-hover', 4.5],
  ...surfaces.map((s): [string, string, number] => ['edge', s, 3]),
  ...[1, 2, 3, 4, 5, 6].map((n): [string, string, number] => [`series-${n}`, 'surface', 3]),
];

for (const [name, values] of [['light', light], ['dark', dark]] as const) {
  test(`in ${name}, every text has 4.5:1 on every surface, and every edge 3:1`, () => {
    for (const [front, back, least] of pairs) {
      const found = contrast(values.get(front)!, values.get(back)!);
      assert.ok(found >= least, `${front} on ${back}: ${found.toFixed(2)}:1`);
    }
  });
}

test('dark by choice is dark by the system', () => {
  assert.deepEqual(block(":root[data-theme='dark'] {"), block(":root:not([data-theme='light']) {"));
});
