import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digit, isHaltKey, isHelpKey } from './keys';

const key = (k: string, more: Partial<KeyboardEvent> = {}) => ({ key: k, code: '', shiftKey: false, ctrlKey: false, metaKey: false, altKey: false, repeat: false, ...more }) as KeyboardEvent;

test('only Shift and H ask what to halt', () => {
  assert.ok(isHaltKey(key('H', { shiftKey: true })));
  assert.ok(isHaltKey(key('h', { shiftKey: true }))); // with caps lock
  assert.ok(isHaltKey(key('Р', { shiftKey: true, code: 'KeyH' }))); // the same key on a Cyrillic keyboard
  for (const no of [key('h'), key('H', { shiftKey: true, ctrlKey: true }), key('H', { shiftKey: true, metaKey: true }), key('H', { shiftKey: true, repeat: true }), key('J', { shiftKey: true, code: 'KeyH' })]) assert.ok(!isHaltKey(no));
});

test('a digit counts once, and only from 1 to 9', () => {
  assert.equal(digit(key('1', { code: 'Digit1' })), 1);
  assert.equal(digit(key('&', { code: 'Digit1' })), 1); // the same key on a French keyboard
  assert.equal(digit(key('3', { code: 'Numpad3' })), 3);
  for (const no of [key('0', { code: 'Digit0' }), key('a'), key(' '), key('Enter'), key('1', { code: 'Digit1', repeat: true }), key('1', { code: 'Digit1', ctrlKey: true })]) assert.equal(digit(no), undefined);
});

test('a question mark lists the keys', () => {
  assert.ok(isHelpKey(key('?', { shiftKey: true })));
  assert.ok(!isHelpKey(key('/')));
});
