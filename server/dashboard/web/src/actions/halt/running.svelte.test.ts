import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import type { S } from '../../api/client';
import { session } from '../../api/session.svelte';
import { running } from './running.svelte';

let reply: ((r: Response) => void)[] = [];
const turns = async () => {
  for (let i = 0; i < 20; i++) await new Promise((done) => setImmediate(done));
};
const signIn = (id: string, ...products: string[]) => {
  session.caller = { id, permissions: ['read', 'halt'], grants: [{ role: 'engineer', products }] } as unknown as S['Caller'];
};
// Of the three questions (active, held, scheduled) the first gets the rollouts.
async function answer(...products: string[]) {
  await turns();
  const now = reply.splice(0, 3);
  assert.equal(now.length, 3);
  now.forEach((done, i) => done(new Response(JSON.stringify({ rollouts: i === 0 ? products.map((product) => ({ id: `of-${product}`, product, state: 'active' })) : [] }))));
  await turns();
}
const listed = () => running.list.map((r) => r.product as string);

beforeEach(() => {
  reply = [];
  globalThis.fetch = (() => new Promise((done) => reply.push(done))) as typeof fetch;
});

test('what began to run while the list was being read is in it', async () => {
  signIn('ada');
  void running.refresh();
  await turns();
  void running.refresh(); // something has changed meanwhile
  await answer('phone');
  await answer('phone', 'watch');
  assert.deepEqual(listed(), ['phone', 'watch']);
  assert.equal(reply.length, 0);
});

test('who signs in next is shown nothing of what the one before could halt', async () => {
  signIn('ada');
  void running.refresh();
  await answer('phone');
  assert.deepEqual(listed(), ['phone']);
  void running.refresh();
  await turns();
  signIn('bob');
  assert.deepEqual(listed(), []);
  assert.equal(running.at, undefined);
  await answer('phone'); // to ada
  assert.deepEqual(listed(), []);
  await answer('watch');
  assert.deepEqual(listed(), ['watch']);
});
