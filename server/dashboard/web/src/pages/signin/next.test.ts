import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { local } from './next';

before(() => {
  globalThis.location ??= new URL('https://ota.example.org/sign-in') as unknown as Location;
});

test('next leads nowhere but to a page of this server', () => {
  for (const [next, want] of [
    ['/rollouts/7-a?tab=1#x', '/rollouts/7-a?tab=1#x'], [null, '/'], ['', '/'], ['https://evil.example', '/'], ['//evil.example', '/'],
    ['/\\evil.example', '/'], ['javascript:alert(1)', '/'], ['rollouts', '/'], ['/sign-in?next=/x', '/'],
  ] as const) assert.equal(local(next), want, String(next));
});
