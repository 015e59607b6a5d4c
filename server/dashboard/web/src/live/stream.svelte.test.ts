import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { caller } from '../api/client';
import { connect, disconnect, live, onTopics } from './stream.svelte';

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
