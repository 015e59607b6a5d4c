import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { caller } from '../api/client';
import { connect, disconnect, live, onTopics } from './stream.svelte';
import type { Word } from './tabs';

// A server whose connections the test holds.
interface Connection {
  id: string | null;
  say(text: string): void;
  end(): void;
}
let connections: Connection[] = [];
let refuse: Response | undefined;
let told: (string[] | 'all')[] = [];
let deaf: () => void;

const turns = async () => {
  for (let i = 0; i < 30; i++) await new Promise((done) => setImmediate(done));
};
const pass = async (ms: number) => {
  for (; ms > 0; ms -= 1000) {
    mock.timers.tick(Math.min(ms, 1000));
    await turns();
  }
};
const hello = (id: number) => `event: hello\nid: ${id}\ndata: {"at":"2026-11-21T12:00:00Z","topics":[]}\n\n`;
const changed = (id: number, ...topics: string[]) => `event: changed\nid: ${id}\ndata: ${JSON.stringify({ at: '2026-11-21T12:00:00Z', topics })}\n\n`;

beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: 1_700_000_000_000 });
  connections = [];
  told = [];
  refuse = undefined;
  const place = { visibilityState: 'visible' };
  globalThis.document = Object.assign(new EventTarget(), place) as unknown as Document;
  globalThis.window = new EventTarget() as Window & typeof globalThis;
  Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true });
  globalThis.fetch = (async (_: string, init: RequestInit) => {
    if (refuse) return refuse;
    const body = new ReadableStream<Uint8Array>({
      start(c) {
        init.signal!.addEventListener('abort', () => c.error(init.signal!.reason));
        connections.push({
          id: new Headers(init.headers).get('Last-Event-ID'),
          say: (text) => c.enqueue(new TextEncoder().encode(text)),
          end: () => c.close(),
        });
      },
    });
    return new Response(body);
  }) as typeof fetch;
  deaf = onTopics((t) => told.push(t));
});

afterEach(async () => {
  disconnect();
  deaf();
  await turns();
  mock.timers.reset();
});

const last = () => connections.at(-1)!;

async function begin(id = 5) {
  connect();
  await turns();
  last().say(hello(id));
  await turns();
}

test('what was asked for before the stream began is asked for again, once', async () => {
  await begin();
  assert.equal(live.state, 'live');
  assert.deepEqual(told, ['all']);
  last().say(changed(6, 'rollouts', 'audit'));
  await turns();
  assert.deepEqual(told, ['all', ['rollouts', 'audit']]);
});

test('a server that is started anew is resumed where it ended', async () => {
  await begin();
  last().say(changed(9, 'rollouts'));
  await turns();
  last().say('retry: 700\n\n');
  last().end();
  await turns();
  assert.equal(live.state, 'reconnecting');
  await pass(1000);
  assert.equal(connections.length, 2);
  assert.equal(last().id, '9');
  last().say(hello(9) + changed(12, 'people'));
  await turns();
  assert.equal(live.state, 'live');
  assert.deepEqual(told.slice(1), [['rollouts'], ['people']]);
});

test('heartbeats keep the stream live, and silence makes it stale and begins anew', async () => {
  await begin();
  for (let i = 0; i < 8; i++) {
    await pass(15_000);
    last().say(':\n\n');
    await turns();
  }
  assert.equal(live.state, 'live');
  assert.equal(connections.length, 1);
  const at = Date.now();
  await pass(36_000);
  assert.equal(live.state, 'stale');
  assert.equal(live.since.getTime(), at);
  await pass(2000);
  assert.equal(connections.length, 2);
  last().say(hello(5));
  await turns();
  assert.equal(live.state, 'live');
});

test('after sleep the stream begins anew at once', async () => {
  await begin();
  mock.timers.setTime(Date.now() + 3600_000);
  mock.timers.tick(1000);
  await turns();
  await pass(1000);
  assert.equal(connections.length, 2);
  assert.equal(last().id, '5');
});

test('a page that is left ends its stream, and begins anew when somebody comes back', async () => {
  let ended = 0;
  const ask = globalThis.fetch;
  globalThis.fetch = ((path: string, init: RequestInit) => {
    init.signal!.addEventListener('abort', () => ended++);
    return ask(path, init);
  }) as typeof fetch;
  await begin();
  window.dispatchEvent(new Event('pagehide'));
  await turns();
  assert.equal(ended, 1);
  await pass(60_000);
  assert.equal(connections.length, 1);
  window.dispatchEvent(new Event('pageshow'));
  await turns();
  assert.equal(connections.length, 2);
  last().say(hello(9));
  await turns();
  assert.equal(live.state, 'live');
  assert.deepEqual(told, ['all', 'all']);
});

test('where too much was missed everything is asked for again', async () => {
  await begin();
  last().say('event: reset\nid: 9000\ndata: {"at":"2026-11-21T12:00:00Z","topics":[]}\n\n');
  await turns();
  assert.deepEqual(told, ['all', 'all']);
});

test('a server that is full is asked again when it says, and is not stale', async () => {
  refuse = new Response(null, { status: 503, headers: { 'Retry-After': '7' } });
  connect();
  await pass(6000);
  refuse = undefined;
  assert.equal(connections.length, 0);
  assert.equal(live.state, 'reconnecting');
  await pass(2000);
  assert.equal(connections.length, 1);
});

test('a session that is over is said to be', async () => {
  let lost = 0;
  const was = caller.lost;
  caller.lost = () => lost++;
  refuse = new Response(null, { status: 401 });
  connect();
  await turns();
  caller.lost = was;
  assert.equal(lost, 1);
});

test('stale since is when what is shown began to be old, also once the server answers that it may not tell', async () => {
  await begin();
  const at = Date.now();
  refuse = new Response(null, { status: 503 });
  await pass(40_000);
  assert.equal(live.state, 'reconnecting');
  assert.equal(live.since.getTime(), at);
});

test('a clock that is set back hides no silence', async () => {
  await begin();
  const real = Date.now;
  Date.now = () => real() - 3_600_000;
  try {
    await pass(38_000);
    assert.equal(live.state, 'stale');
    assert.equal(connections.length, 2);
  } finally {
    Date.now = real;
  }
});

// Beside another tab, which the test is: it has the lock and reads.
async function beside(f: (other: BroadcastChannel, said: Word[]) => Promise<void>) {
  Object.defineProperty(globalThis, 'navigator', { value: { locks: { request: () => new Promise(() => undefined) } }, configurable: true });
  const other = new BroadcastChannel('candor-live-');
  const said: Word[] = [];
  other.onmessage = (e) => said.push((e as MessageEvent<Word>).data);
  try {
    connect();
    await turns();
    other.postMessage({ kind: 'state', state: 'live', since: Date.now(), id: '10' } satisfies Word);
    await turns();
    assert.equal(live.state, 'live');
    assert.deepEqual(told, ['all']);
    await f(other, said);
  } finally {
    disconnect();
    other.close();
  }
}

test('what happened while no tab read is asked for: a tab that is new reads without the place of the one that is gone', () =>
  beside(async (other) => {
    other.postMessage({ kind: 'topics', topics: ['rollouts'], id: '11' } satisfies Word);
    other.postMessage({ kind: 'state', state: 'live', since: Date.now(), id: '11' } satisfies Word);
    await turns();
    assert.deepEqual(told, ['all', ['rollouts']]);
    other.postMessage({ kind: 'state', state: 'live', since: Date.now(), id: '14' } satisfies Word);
    await turns();
    assert.deepEqual(told, ['all', ['rollouts'], 'all']);
  }));

test('a tab that hears again from the one that reads asks whether it is live', () =>
  beside(async (other, said) => {
    Object.assign(document, { visibilityState: 'hidden' });
    await pass(37_000);
    assert.equal(live.state, 'stale');
    said.length = 0;
    other.postMessage({ kind: 'beat' } satisfies Word);
    await turns();
    assert.deepEqual(said, [{ kind: 'ask' }]);
    other.postMessage({ kind: 'state', state: 'live', since: Date.now(), id: '10' } satisfies Word);
    await turns();
    assert.equal(live.state, 'live');
  }));

test('where locks are forbidden a tab reads for itself', async () => {
  let asked = 0;
  const request = () => (++asked > 50 ? new Promise(() => undefined) : Promise.reject(new DOMException('storage is off', 'SecurityError')));
  Object.defineProperty(globalThis, 'navigator', { value: { locks: { request } }, configurable: true });
  await begin();
  assert.equal(asked, 1);
  assert.equal(live.state, 'live');
});
