import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parser, read, type Event } from './sse';

function heard(...pieces: string[]) {
  const got: { events: Event[]; beats: number; retry?: number } = { events: [], beats: 0 };
  const take = parser({ alive: () => got.beats++, event: (e) => got.events.push(e), retry: (ms) => (got.retry = ms) });
  for (const p of pieces) take(p);
  return got;
}

const whole = 'event: changed\nid: 7\ndata: {"topics":["audit"]}\n\n:\n\nevent: counted\ndata: a\ndata: b\n\nretry: 900\n\n';

test('an event is heard however the stream is cut into pieces', () => {
  const want = heard(whole);
  assert.deepEqual(want.events, [
    { name: 'changed', id: '7', data: '{"topics":["audit"]}' },
    { name: 'counted', id: undefined, data: 'a\nb' },
  ]);
  assert.equal(want.retry, 900);
  for (let size = 1; size < whole.length; size++) {
    const pieces = whole.match(new RegExp(`[\\s\\S]{1,${size}}`, 'g'))!;
    assert.deepEqual(heard(...pieces).events, want.events, `pieces of ${size}`);
  }
});

test('a heartbeat is no event', () => {
  assert.deepEqual(heard(':\n\n', ':\n\n').events, []);
});

test('an event that was cut off is not heard', () => {
  assert.deepEqual(heard('event: changed\nid: 9\ndata: {').events, []);
});

test('a line without an end is refused', () => {
  assert.throws(() => heard('data: ' + 'x'.repeat((1 << 20) + 1)));
});

test('bytes of a letter that are cut apart are one letter', async () => {
  const bytes = new TextEncoder().encode('data: ✓\n\n');
  const events: Event[] = [];
  let beats = 0;
  const body = new ReadableStream<Uint8Array>({
    start(c) {
      for (const b of bytes) c.enqueue(new Uint8Array([b]));
      c.close();
    },
  });
  await read(body, { alive: () => beats++, event: (e) => events.push(e), retry: () => undefined });
  assert.equal(events[0]?.data, '✓');
  assert.equal(beats, bytes.length);
});
