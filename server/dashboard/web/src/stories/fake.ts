// A server, a live stream and a clock that say what a story says.
import type { S } from '../api/client';
import { Reply, type Answer, type Story } from './story';

export const admin: S['Caller'] = {
  kind: 'session', id: 's1', name: 'Ada Lindqvist', person: 'oidc:ada', csrf: 'story',
  grants: [{ role: 'admin', products: [] }],
  permissions: ['read', 'submit', 'operate', 'approve', 'halt', 'break-glass', 'administer'],
};

/** Puts the story in the place of the server and the clock, before anything asks. */
export function pretend(story: Story): void {
  stopClock(story.now ?? '2026-11-21T12:00:00Z');
  window.fetch = (input, init) => answered(story, new Request(input as RequestInfo, init));
  Object.defineProperty(navigator, 'locks', { value: undefined }); // each page has a stream of its own
}

function stopClock(now: string) {
  const at = new Date(now).getTime();
  const Real = Date;
  const Stopped = class extends Real {
    constructor(...given: unknown[]) {
      if (given.length === 0) super(at);
      else super(...(given as [number]));
    }
    static override now() {
      return at;
    }
  };
  window.Date = Stopped as DateConstructor;
}

async function answered(story: Story, r: Request): Promise<Response> {
  const url = new URL(r.url);
  if (url.pathname === '/v1/live') return stream(story.live ?? 'live');
  const answer = await found(story, r, url);
  if (answer.status === -1) {
    return new Promise((_, reject) => r.signal.addEventListener('abort', () => reject(r.signal.reason as Error)));
  }
  const empty = answer.body === undefined || answer.status === 204;
  return new Response(empty ? null : JSON.stringify(answer.body), {
    status: answer.status,
    headers: { 'Content-Type': answer.status >= 400 ? 'application/problem+json' : 'application/json', ...answer.headers },
  });
}

async function found(story: Story, r: Request, url: URL): Promise<Reply> {
  if (url.pathname === '/v1/auth/session' && !('GET /v1/auth/session' in story.answers)) return session(story);
  const named = pick(story.answers, `${r.method} ${url.pathname}`, url.search);
  if (named === undefined) {
    return new Reply(404, { type: 'about:blank', title: 'Not found', status: 404, code: 'not-found', detail: `The story has no answer to ${r.method} ${url.pathname}.` });
  }
  if (typeof named !== 'function') return reply(named);
  const text = await r.clone().text();
  return reply(
    (await named({ method: r.method, path: url.pathname, search: url.searchParams, headers: r.headers, body: text === '' ? undefined : tryJSON(text) })) as Answer,
  );
}

function pick(answers: Record<string, Answer>, what: string, search: string): Answer | undefined {
  if (what + search in answers) return answers[what + search];
  if (what in answers) return answers[what];
  const below = Object.keys(answers)
    .filter((k) => k.endsWith('/*') && what.startsWith(k.slice(0, -1)))
    .sort((a, b) => b.length - a.length)[0];
  return below === undefined ? undefined : answers[below];
}

const reply = (a: Answer) => (a instanceof Reply ? a : new Reply(200, a));

function session(story: Story): Reply {
  if (story.caller === null) return new Reply(401, { type: 'about:blank', title: 'Sign in', status: 401, code: 'unauthorized' });
  return new Reply(200, story.caller ?? admin);
}

function tryJSON(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

// The live stream greets, and then says nothing.
function stream(state: 'live' | 'reconnecting' | 'stale'): Response {
  if (state !== 'live') return new Response(null, { status: 503, headers: { 'Retry-After': '60' } });
  const hello = `event: hello\nid: 1\ndata: ${JSON.stringify({ at: new Date().toISOString(), topics: [] })}\n\n`;
  const body = new ReadableStream<Uint8Array>({ start: (c) => c.enqueue(new TextEncoder().encode(hello)) });
  return new Response(body, { headers: { 'Content-Type': 'text/event-stream' } });
}
