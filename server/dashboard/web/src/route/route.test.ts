import assert from 'node:assert/strict';
import { test } from 'node:test';
import { match, narrower } from './route';

test('a pattern gives its parameters and takes nothing longer or shorter', () => {
  assert.deepEqual(match('/rollouts/:id', '/rollouts/7-a'), { id: '7-a' });
  assert.deepEqual(match('/', '/'), {});
  assert.deepEqual(match('/products/:product/releases/:build', '/products/phone/releases/42'), { product: 'phone', build: '42' });
  for (const path of ['/rollouts', '/rollouts/', '/rollouts/7-a/x', '/Rollouts/7-a', '//7-a']) assert.equal(match('/rollouts/:id', path), null, path);
});

test('a parameter is decoded, and what cannot be decoded is no page', () => {
  assert.deepEqual(match('/rollouts/:id', '/rollouts/a%2Fb'), { id: 'a/b' });
  assert.equal(match('/rollouts/:id', '/rollouts/%zz'), null);
});

test('words come before parameters', () => {
  const sorted = ['/rollouts/:id', '/:x', '/rollouts/new', '/'].sort(narrower);
  assert.ok(sorted.indexOf('/rollouts/new') < sorted.indexOf('/rollouts/:id'));
});
