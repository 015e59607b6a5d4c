import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lasting, pieces, typeset } from './typeset';

test('no line ends between a number and its sign or unit', () => {
  assert.equal(typeset('95 % sure that it is below 0.67 %; 2 d of soak, in 3 h 20 min'), '95\u00a0% sure that it is below 0.67\u00a0%; 2\u00a0d of soak, in 3\u00a0h 20\u00a0min');
  assert.equal(typeset('stage 2 soaks, build 7 said so, 4 dogs'), 'stage 2 soaks, build 7 said so, 4 dogs');
});

test('large numbers of handsets and outcomes are grouped, and names are left alone', () => {
  assert.equal(typeset('16 failures in 4112 outcomes; the first opens to 12000 of 1200000 handsets'), '16 failures in 4,112 outcomes; the first opens to 12,000 of 1,200,000 handsets');
  assert.equal(typeset('build 10042 of mi-20200 handsets, v1.2000 votes'), 'build 10042 of mi-20200 handsets, v1.2000 votes');
});

test('times within a sentence are times, days are days, and what is neither stays', () => {
  assert.deepEqual(pieces('long before 2026-11-24 06:35 UTC; sign by 2027-01-21: `candor-signer renew x`'), [
    { words: 'long before ' }, { at: new Date('2026-11-24T06:35:00Z') }, { words: '; sign by ' }, { day: new Date('2027-01-21T00:00:00Z') }, { words: ': ' },
    { command: 'candor-signer renew x' }, { words: '' },
  ]);
  assert.deepEqual(pieces('at 2026-11-27T12:00:00Z'), [{ words: 'at ' }, { at: new Date('2026-11-27T12:00:00Z') }, { words: '' }]);
  assert.deepEqual(pieces('2026-99-99 is no day'), [{ words: '' }, { words: '2026-99-99' }, { words: ' is no day' }]);
  assert.deepEqual(pieces('x-2026-11-24-1'), [{ words: 'x-2026-11-24-1' }]);
});

test('how long something lasts has its units apart', () => {
  assert.equal(lasting('7d'), '7\u00a0d');
  assert.equal(lasting('2d12h'), '2\u00a0d 12\u00a0h');
  assert.equal(lasting('90m'), '90\u00a0min');
  assert.equal(lasting('until somebody says so'), 'until somebody says so');
});
