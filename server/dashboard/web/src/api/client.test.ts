import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { caller, get, newKey, ProblemError, send } from './client';

let asked: { path: string; init: RequestInit; headers: Headers }[] = [];
let answers: (() => Response)[] = [];

beforeEach(() => {
  asked = [];
  answers = [];
  caller.csrf = () => 'token';
  caller.lost = () => undefined;
  caller.renew = async () => undefined;
  globalThis.fetch = (async (path: string, init: RequestInit) => {
    asked.push({ path, init, headers: new Headers(init.headers) });
    const next = answers.shift();
    if (!next) throw new TypeError('no network');
    return next();
  }) as typeof fetch;
});

const json = (body: unknown, status = 200, headers: Record<string, string> = {}) => () => new Response(JSON.stringify(body), { status, headers });
const problem = (status: number, code: string, headers: Record<string, string> = {}) => json({ type: 'about:blank', title: code, status, code }, status, headers);

async function refused(p: Promise<unknown>): Promise<ProblemError> {
  try {
    await p;
  } catch (e) {
    assert.ok(e instanceof ProblemError, String(e));
    return e;
  }
  throw new Error('it was not refused');
}

test('an answer comes with its version', async () => {
  answers = [json({ a: 1 }, 200, { ETag: '"7"' })];
  assert.deepEqual(await get('/v1/x'), { data: { a: 1 }, etag: '"7"' });
});

test('a refusal keeps its code, and when to come again', async () => {
  answers = [problem(429, 'rate-limited', { 'Retry-After': '12' })];
  const e = await refused(get('/v1/x'));
  assert.equal(e.problem.code, 'rate-limited');
  assert.equal(e.retryAfter, 12);
});

test('what is no problem in JSON is a problem all the same', async () => {
  answers = [() => new Response('<html>bad gateway', { status: 502 })];
  assert.equal((await refused(get('/v1/x'))).status, 502);
});

test('a session that has ended is told to the frame', async () => {
  let lost = 0;
  caller.lost = () => lost++;
  answers = [problem(401, 'unauthorized')];
  await refused(get('/v1/x'));
  assert.equal(lost, 1);
});

test('a change carries the token of the session, a key and the version', async () => {
  answers = [json({})];
  await send('POST', '/v1/rollouts/a/halt', { reason: 'x' }, { ifMatch: 7 });
  const h = asked[0]!.headers;
  assert.equal(h.get('X-CSRF-Token'), 'token');
  assert.match(h.get('Idempotency-Key')!, /^[0-9a-f]{32}$/);
  assert.equal(h.get('If-Match'), '"7"');
  assert.equal(h.get('Content-Type'), 'application/json');
});

test('a change that no answer came to is sent again under the same key', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  answers = [];
  const sending = refused(send('POST', '/v1/x', {}));
  for (let i = 0; i < 4; i++) {
    await new Promise((done) => setImmediate(done));
    t.mock.timers.tick(5000);
  }
  assert.equal((await sending).problem.code, 'network');
  assert.equal(asked.length, 3);
  assert.equal(new Set(asked.map((a) => a.headers.get('Idempotency-Key'))).size, 1);
});

test('a change that is refused is not sent again', async () => {
  answers = [problem(409, 'conflict')];
  await refused(send('POST', '/v1/x', {}));
  assert.equal(asked.length, 1);
});

test('a token of an older session is renewed once', async () => {
  let now = 'old';
  caller.csrf = () => now;
  caller.renew = async () => {
    now = 'new';
  };
  answers = [problem(403, 'foreign-request'), json({ ok: true })];
  assert.deepEqual(await send('POST', '/v1/x'), { ok: true });
  assert.deepEqual(asked.map((a) => a.headers.get('X-CSRF-Token')), ['old', 'new']);
  answers = [problem(403, 'foreign-request'), problem(403, 'foreign-request')];
  assert.equal((await refused(send('POST', '/v1/x'))).status, 403);
});

test('an empty answer is undefined', async () => {
  answers = [() => new Response(null, { status: 204 })];
  assert.equal(await send('DELETE', '/v1/x'), undefined);
});

test('no two keys are the same', () => assert.notEqual(newKey(), newKey()));
