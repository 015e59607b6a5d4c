import assert from 'node:assert/strict';
import { test } from 'node:test';
import { headline, next, verdict, type Known } from './headline';

const stages = [{ sharePPM: 10_000, soak: '1d' }, { sharePPM: 100_000, soak: '2d' }];
const people = { code: 'approval-needed', sentence: 'stage 2 (10 %) needs the word of 2 people; 1 more must approve it' };
const soak = { code: 'soaking', until: '2014-08-13T06:00:00Z', sentence: 'stage 1 soaks until 2014-08-13T06:00:00Z' };
const active: Known = {
  state: 'active', stage: 0, stages, outcome: 'pass', waits: [soak, people],
  sentence: `2 failures in 412 outcomes; 95 % sure that the failure rate is below 1.96 %; ${people.sentence}; next stage in 3 h 0 m at the earliest`,
};

test('the verdict says what the votes prove, and not what is waited for', () => {
  assert.equal(verdict(active), '2 failures in 412 outcomes; 95 % sure that the failure rate is below 1.96 %');
  assert.equal(verdict({ ...active, waits: [soak], sentence: '1 failure in 9 outcomes; next stage in 3 h 0 m unless halted' }), '1 failure in 9 outcomes');
});

test('a halted rollout is never anything else than halted', () => {
  const head = headline({ ...active, state: 'halted', reason: 'boot loops' });
  assert.deepEqual([head.word, head.mark, head.tone, head.says], ['Halted', 'halt', 'bad', 'Boot loops']);
});

test('where nobody can report nothing passes, and a halt stays a halt', () => {
  assert.equal(headline(active, true).word, 'Not enough evidence');
  assert.equal(headline({ ...active, outcome: 'halt' }, true).word, 'Halt');
});

test('no verdict at all is not a pass', () => {
  assert.equal(headline({ ...active, outcome: undefined, sentence: '' }).word, 'Not enough evidence');
});

test('a time is the earliest only while something else than time is lacking', () => {
  assert.deepEqual([next(active).earliest, next(active).at, next(active).needs.length], [true, soak.until, 1]);
  assert.equal(next({ ...active, waits: [soak] }).earliest, false);
});
