import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { empty } from './form';
import { keep, kept, originOf } from './origin';

beforeEach(() => {
  const held = new Map<string, string>();
  globalThis.sessionStorage = {
    getItem: (k: string) => held.get(k) ?? null, setItem: (k: string, v: string) => held.set(k, v), removeItem: (k: string) => held.delete(k),
  } as unknown as Storage;
});

const at = (search: string) => originOf(new URLSearchParams(search));
const typed = { ...empty(), product: 'phone', build: '42' };

test('what was typed is there after a reload', () => {
  keep(at('product=phone&build=42'), typed);
  assert.deepEqual(kept(at('product=phone&build=42')), { form: typed, version: undefined });
  keep(at('product=phone&build=42'), undefined);
  assert.equal(kept(at('product=phone&build=42')), undefined);
});

test('what was typed for one build is not taken for another', () => {
  keep(at('from=7-a&build=42'), typed);
  keep(at('product=phone'), typed);
  assert.equal(kept(at('from=7-a&build=43')), undefined);
  assert.equal(kept(at('product=watch')), undefined);
  assert.equal(kept(at('')), undefined);
});

test('what was typed into a draft is kept with the version that it was typed into', () => {
  keep(at('edit=7-a'), typed, 3);
  assert.equal(kept(at('edit=7-a'))?.version, 3);
});
