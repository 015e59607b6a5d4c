import assert from 'node:assert/strict';
import { test } from 'node:test';
import { called } from './person';

test('people are called by the name that their provider vouches for, and tokens of their owner’s name by that', () => {
  assert.equal(called('Ada Lindqvist <ada@example.org> (https://id.example.org#8f14e45f)'), 'Ada Lindqvist <ada@example.org>');
  assert.equal(called('olga (token 32h2mohkvbnn of local:olga)'), 'olga');
  assert.equal(called('olga (session of token 32h2mohkvbnn of local:olga)'), 'olga');
  assert.equal(called('Lin Wei'), 'Lin Wei');
  assert.equal(called('engine'), 'engine');
});

test('nobody looks like another by the name of a token', () => {
  for (const whole of [
    'ben (token 32h2mohkvbnn of local:olga)',
    'Ada Lindqvist (token 32h2mohkvbnn of https://id.example.org#8f14e45f)',
    'ben (token a of local:ben) (token 32h2mohkvbnn of local:olga)',
    'ben (https://id.example.org#8f14e45f) (token 32h2mohkvbnn of local:olga)',
    'x (https://id.example.org#1 (token a of local:x))',
    'command line: root',
  ]) {
    assert.equal(called(whole), whole);
  }
});
