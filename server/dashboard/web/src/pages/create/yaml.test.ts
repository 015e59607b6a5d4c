import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plan } from '../../actions/made/rollouts';
import { formOf, planOf, ppm } from './form';
import { planIn } from './imported';
import { read, write, YamlError } from './yaml';

const plain = (v: unknown) => JSON.parse(JSON.stringify(v)) as unknown;

test('what is written is read back to the letter', () => {
  const full = { ...plan, audience: { models: ['mi-3', 'true', '1e5'], regions: ['no'], fromBuilds: { min: 1, max: 42 } }, start: '2026-11-22T00:00:00Z', guard: { failuresPPM: 20_000, reportOnly: ['lab'], reasonsPPM: { 'boot-loop': 10 } }, rescues: '42-abc' };
  assert.deepEqual(plain(read(write(full))), full);
});

test('the example of the manifests is read', () => {
  const text = 'product: xiaomi-optin # the fix\nbuild: 42\nchannel: stable\naudience:\n  models: [redmi-1s, mi-3]\nstages:\n  - {sharePPM: 10000, soak: 1d, minVotes: 50}\n  - sharePPM: 1000000\n    soak: 1d\nkind: normal\ndeferral: 7d\nwindow: {from: "02:00", to: \'05:00\'}\nspread: 30m\nguard:\n  failuresPPM: 20000 # 2 in 100\n';
  const p = planIn(text);
  assert.deepEqual(plain(p.stages), [{ sharePPM: 10_000, soak: '1d', minVotes: 50 }, { sharePPM: 1_000_000, soak: '1d' }]);
  assert.equal(p.window?.to, '05:00');
  assert.deepEqual(plain(p.audience), { models: ['redmi-1s', 'mi-3'] });
});

test('JSON is read', () => assert.equal(planIn(JSON.stringify(plan, null, 2)).build, 43));

for (const [name, text] of Object.entries({
  'an anchor': 'product: &a phone', 'a tab': 'stages:\n\t- 1', 'a field twice': 'build: 1\nbuild: 2', 'no end of a list': 'models: [a, b', 'no end of a quote': 'kind: "normal',
  'a block of text': 'channel: |\n  a', 'a second document': 'build: 1\n---\nbuild: 2', 'no value': 'build:\nkind: normal', 'prose': 'roll it out slowly', 'null': 'build: null', 'nothing': '# only a comment', 'too much': 'x: ' + 'a'.repeat(128 << 10),
  'depth': 'a: ' + '['.repeat(40) + ']'.repeat(40), 'a stray indent': 'build: 1\n   kind: normal',
})) {
  test(`${name} is refused with its line`, () => assert.throws(() => read(text), (e) => e instanceof YamlError && /^Line \d+: /.test(e.message)));
}

test('whatever is pasted is read or refused, and nothing is polluted', () => {
  let seed = 7;
  const next = (n: number) => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) % n;
  const bits = ['product', ':', ' ', '\n', '  ', '-', '[', ']', '{', '}', '"', "'", '#', '__proto__', 'constructor', '1', 'é\u202e', ',', '\\', '\t', '&', '---'];
  for (let i = 0; i < 20_000; i++) {
    const text = Array.from({ length: next(24) }, () => bits[next(bits.length)]).join('');
    try {
      read(text);
    } catch (e) {
      assert.ok(e instanceof YamlError, `${JSON.stringify(text)}: ${String(e)}`);
    }
  }
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
  assert.doesNotThrow(() => read('__proto__: {polluted: true}'));
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
});

for (const [text, why] of [['{"format":"candor-proposal-1"}', /proposal/], ['spec: candor-release-v1', /release/], ['stages: [1]', /map/], ['stages: []', /at least one/], ['{"stages":[{}],"kind":3}', /kind/], ['colour: red', /no field “colour”/], ['- 1', /no plan/]] as const) {
  test(`${text} is told apart from a plan`, () => assert.throws(() => planIn(text), why));
}

test('a plan goes through the form unchanged', () => {
  const { plan: back, mistakes } = planOf(formOf(plan));
  assert.deepEqual(mistakes, {});
  assert.deepEqual(back, plan);
});

test('shares are exact', () => {
  assert.equal(ppm('0.0001'), 1);
  assert.equal(ppm('33,3333'), 333_333);
  assert.equal(ppm('100 %'), 1_000_000);
  for (const bad of ['', 'half', '1e2', '0.00001', '-1', '1000']) assert.equal(ppm(bad), undefined, bad);
});
