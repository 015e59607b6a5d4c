import assert from 'node:assert/strict';
import { afterEach, beforeEach, test, type TestContext } from 'node:test';
import { flushSync } from 'svelte';
import { ProblemError } from '../api/client';
import { changed, forget, pause, query, type Query } from './query.svelte';

let asked: string[] = [];
let answer: (path: string) => Response | Promise<Response> = () => new Response('{}');
let leave: () => void = () => undefined;

beforeEach(() => {
  asked = [];
  globalThis.fetch = (async (path: string, init: RequestInit) => {
    asked.push(path);
    const stopped = new Promise<never>((_, reject) => init.signal?.addEventListener('abort', () => reject(init.signal!.reason as Error)));
    return Promise.race([answer(path), stopped]);
  }) as typeof fetch;
});
afterEach(() => leave());

// watch is what a component does with a query; each test has a path of its own,
// for answers are kept.
function watch<T>(path: string | (() => string | null), topics: string[]): Query<T> {
  let q!: Query<T>;
  leave = $effect.root(() => {
    q = query<T>(typeof path === 'string' ? () => path : path, () => topics);
  });
  flushSync();
  return q;
}

const turns = async () => {
  for (let i = 0; i < 20; i++) await new Promise((done) => setImmediate(done));
};

const json = (body: unknown) => new Response(JSON.stringify(body));

test('the answer is shown with the time that it came', async () => {
  answer = () => json({ n: 1 });
  const q = watch<{ n: number }>('/v1/one', []);
  assert.deepEqual([q.loading, q.data], [true, undefined]);
  await turns();
  assert.equal(q.data?.n, 1);
  assert.equal(q.loading, false);
  assert.ok(q.at instanceof Date);
});

// pass lets time go by, and what is painted then be painted.
function pass(t: TestContext, ms: number) {
  t.mock.timers.tick(ms);
  flushSync();
}

// rest lets what is still under way end before the next test has other timers.
async function rest(t: TestContext) {
  leave();
  await turns();
  pass(t, 500);
}

test('a topic asks again, and the old data stays meanwhile', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let n = 0;
  answer = () => json({ n: ++n });
  const q = watch<{ n: number }>('/v1/two', ['rollout/7-a', 'counts/phone/*']);
  await turns();
  changed('rollout/8-b', 'counts/tablet/1');
  assert.equal(asked.length, 1);
  changed('rollout/7-a');
  await turns();
  assert.equal(asked.length, 2);
  assert.equal(q.data?.n, 1, 'shown before its beat');
  pass(t, 500);
  assert.equal(q.data?.n, 2);
  changed('counts/phone/43');
  await turns();
  pass(t, 500);
  assert.equal(q.data?.n, 3);
  await rest(t);
});

test('many changes are painted at most twice a second', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let n = 0;
  answer = () => json({ n: ++n });
  const q = watch<{ n: number }>('/v1/three', ['rollouts']);
  await turns();
  const painted = new Set<number | undefined>();
  for (let i = 0; i < 100; i++) { // a second
    changed('rollouts');
    await turns();
    pass(t, 10);
    painted.add(q.data?.n);
  }
  assert.ok(painted.size <= 4, `${painted.size} paints`);
  assert.ok((q.data?.n ?? 0) > 1);
  await rest(t);
});

test('what changes while an answer is under way is asked for after it, and shown', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let now = 1;
  let reply: (() => void)[] = [];
  answer = () => {
    const body = { n: now }; // as it was when the server was asked
    return new Promise((done) => reply.push(() => done(json(body))));
  };
  const come = async () => {
    await turns();
    for (const f of reply.splice(0)) f();
    await turns();
    pass(t, 500);
  };
  const q = watch<{ n: number }>('/v1/after', ['x']);
  await come();
  for (let i = 0; i < 3; i++) {
    changed('x');
    await turns();
    now++;
    changed('x');
    await come();
    await come();
    assert.equal(q.data?.n, now);
  }
  await rest(t);
});

test('what was asked for and not waited for is asked for when it is looked at again', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  answer = () => json({ n: 1 });
  watch('/v1/left', ['x']);
  await turns();
  answer = () => new Promise<Response>(() => undefined);
  changed('x');
  leave();
  await turns();
  answer = () => json({ n: 2 });
  const q = watch<{ n: number }>('/v1/left', ['x']);
  await turns();
  pass(t, 500);
  assert.equal(q.data?.n, 2);
  await rest(t);
});

test('a failure keeps the data, and says so', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  answer = () => json({ n: 1 });
  const q = watch<{ n: number }>('/v1/four', ['x']);
  await turns();
  answer = () => new Response('{"title":"away","code":"busy"}', { status: 503 });
  changed('x');
  await turns();
  pass(t, 500);
  assert.equal(q.data?.n, 1);
  assert.equal(q.error?.status, 503);
  answer = () => json({ n: 2 });
  await turns();
  pass(t, 1000);
  await turns();
  pass(t, 500);
  assert.equal(q.data?.n, 2);
  assert.equal(q.error, undefined);
  await rest(t);
});

test('what one may not see any more is taken off the page', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  answer = () => json({ n: 1 });
  const q = watch<{ n: number }>('/v1/five', ['x']);
  await turns();
  answer = () => new Response('{"title":"no","code":"forbidden"}', { status: 403 });
  changed('x');
  await turns();
  pass(t, 500);
  assert.equal(q.data, undefined);
  assert.equal(q.error?.status, 403);
  await rest(t);
});

test('a page that is left aborts what it asked for', async () => {
  let aborted = false;
  globalThis.fetch = ((_: string, init: RequestInit) =>
    new Promise((_, reject) => init.signal!.addEventListener('abort', () => { aborted = true; reject(init.signal!.reason as Error); }))) as typeof fetch;
  watch('/v1/six', []);
  leave();
  await turns();
  assert.equal(aborted, true);
});

test('what was asked for as somebody else is not shown to who is here now', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const reply: ((r: Response) => void)[] = [];
  answer = () => new Promise((done) => reply.push(done));
  const q = watch<{ of: string }>('/v1/session-of', ['x']);
  forget();
  await turns();
  reply[0]!(json({ of: 'ada' }));
  await turns();
  pass(t, 500);
  assert.equal(q.data?.of, undefined);
  reply[1]?.(json({ of: 'bob' }));
  await turns();
  pass(t, 500);
  assert.equal(q.data?.of, 'bob');
  assert.equal(asked.length, 2);
  await rest(t);
});

test('however many answers one page looks at, each hears of its changes', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  answer = () => json({});
  const rows = 70;
  leave = $effect.root(() => {
    const all = Array.from({ length: rows }, (_, i) => query(() => `/v1/row/${i}`, () => ['row']));
    for (const q of all) void q.data; // as a page is drawn before its effects run
  });
  flushSync();
  await turns();
  assert.equal(asked.length, rows);
  changed('row');
  await turns();
  assert.equal(asked.length, 2 * rows);
  await rest(t);
});

test('no path asks for nothing', async () => {
  const q = watch(() => null, []);
  await turns();
  assert.equal(asked.length, 0);
  assert.equal(q.data, undefined);
  assert.equal(q.loading, false);
});

test('refusals are not asked again by themselves; failures are, ever more slowly', () => {
  const at = (status: number, retryAfter?: number) => new ProblemError({ type: 'about:blank', title: '', status, code: 'x' }, retryAfter);
  assert.equal(pause(at(404), 1), undefined);
  assert.equal(pause(at(0), 1), 1000);
  assert.equal(pause(at(503), 3), 4000);
  assert.equal(pause(at(503), 40), 30_000);
  assert.equal(pause(at(429, 60), 1), 60_000);
});
