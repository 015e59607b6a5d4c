import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytes, count, date, days, ppm, relative, span } from './format';

test('a share that is not all is never shown as all, nor one that is something as nothing', () => {
  assert.equal(ppm(1_000_000), '100\u00a0%');
  assert.equal(ppm(999_999), '99.9\u00a0%');
  assert.equal(ppm(1), '0.0001\u00a0%');
  assert.equal(ppm(0), '0\u00a0%');
  assert.equal(ppm(12_345), '1.23\u00a0%');
});

test('numbers are grouped and bytes are decimal', () => {
  assert.equal(count(1_234_567), '1,234,567');
  assert.equal(bytes(999), '999\u00a0B');
  assert.equal(bytes(1_230_000), '1.23\u00a0MB');
  assert.equal(bytes(999_999), '1\u00a0MB');
});

test('spans have the two units that matter', () => {
  assert.equal(span(0), '0\u00a0s');
  assert.equal(span(61), '1\u00a0min 1\u00a0s');
  assert.equal(span(12_060), '3\u00a0h 21\u00a0min');
  assert.equal(span(90_000), '1\u00a0d 1\u00a0h');
  assert.equal(span(-7200), '−2\u00a0h');
});

test('days that are left are not rounded up', () => {
  assert.equal(days(1.9), '1\u00a0day');
  assert.equal(days(0.4), '0\u00a0days');
  assert.equal(days(-3.2), '−3\u00a0days');
});

test('moments are told from now', () => {
  const now = new Date('2026-11-21T12:00:00Z');
  assert.equal(relative(new Date('2026-11-21T11:56:10Z'), now), '3\u00a0min ago');
  assert.equal(relative(new Date('2026-11-21T15:00:00Z'), now), 'in 3\u00a0h');
  assert.equal(relative(new Date('2026-11-03T12:00:00Z'), now), '18\u00a0days ago');
  assert.equal(date('not a date'), undefined);
  assert.equal(date(null), undefined);
});
