// The one way to the server. Refusals become ProblemErrors; what changes
// something carries the session's CSRF token and a key of its own, under which
// the server does it at most once however often it has to be sent.
import type { components } from './schema.gen';

export type S = components['schemas'];

/** A refusal (RFC 9457), or that no answer came: then its status is 0. */
export class ProblemError extends Error {
  readonly problem: S['Problem'];
  readonly status: number;
  /** Seconds that the server asked for. */
  readonly retryAfter?: number;

  constructor(problem: S['Problem'], retryAfter?: number) {
    super(problem.detail ?? problem.title);
    this.name = 'ProblemError';
    this.problem = problem;
    this.status = problem.status;
    this.retryAfter = retryAfter;
  }
}

/** What the client asks of the session, which sets it. */
export const caller: { csrf: () => string | undefined; renew: () => Promise<void>; lost: () => void } = {
  csrf: () => undefined,
  renew: async () => undefined,
  lost: () => undefined,
};

const away: S['Problem'] = {
  type: 'about:blank', title: 'No answer', status: 0, code: 'network',
  detail: 'The server could not be reached. Check the network; this page tries again by itself.',
};

/** Reads that are under way, and since when. */
const reading = new Set<{ since: number; stop: AbortController }>();
/** A read that has been under way for longer hangs, in ms. */
const hangs = 1_000;

/**
 * Gives up reads that hang, so that a HALT finds a connection: over HTTP/1.1
 * browsers have six to a server. They fail as if the network had.
 */
export function makeWay(): void {
  for (const r of reading) if (performance.now() - r.since > hangs) r.stop.abort();
}

/** How long an answer to a read may take, in ms; whoever needs it asks again. */
const longest = 20_000;

/** Reads a path. Rejects with a ProblemError, or an AbortError by the signal. */
export async function get<T>(path: string, signal?: AbortSignal): Promise<{ data: T; etag?: string }> {
  const mine = { since: performance.now(), stop: new AbortController() };
  const late = setTimeout(() => mine.stop.abort(), longest);
  reading.add(mine);
  try {
    const r = await ask(path, { headers: { Accept: 'application/json' }, signal: signal ? AbortSignal.any([signal, mine.stop.signal]) : mine.stop.signal, cache: 'no-store' });
    return { data: await body<T>(r), etag: r.headers.get('ETag') ?? undefined };
  } catch (e) {
    throw mine.stop.signal.aborted && !signal?.aborted ? new ProblemError(away) : e;
  } finally {
    clearTimeout(late);
    reading.delete(mine);
  }
}

/** How a change is sent: ifMatch is the version that was looked at. */
export interface SendOptions {
  ifMatch?: number | string;
  /** The Idempotency-Key; give one to send the same change again. */
  key?: string;
}

/**
 * Changes something. Where no answer comes it is sent again under the same key,
 * twice at most: the server does it once. Gives undefined for an empty answer.
 */
export async function send<T>(method: 'POST' | 'PUT' | 'DELETE' | 'PATCH', path: string, content?: unknown, o: SendOptions = {}): Promise<T> {
  const key = o.key ?? newKey();
  for (let tries = 1, renewed = false; ; tries++) {
    try {
      return await body<T>(await ask(path, { method, headers: headers(key, content, o.ifMatch), body: encoded(content) }));
    } catch (e) {
      if (!(e instanceof ProblemError)) throw e;
      if (e.problem.code === 'foreign-request' && !renewed) {
        renewed = true; // another tab has signed in anew
        await caller.renew();
      } else if ((e.status !== 0 && e.problem.code !== 'in-progress') || tries > 2) {
        throw e;
      } else {
        await new Promise((done) => setTimeout(done, (e.retryAfter ?? tries) * 1000));
      }
    }
  }
}

/**
 * Asks by POST what changes nothing, such as a preview: without a key, for the
 * server has nothing to remember. Rejects as get does.
 */
export async function question<T>(path: string, content: unknown, signal?: AbortSignal): Promise<T> {
  const h = headers('', content);
  h.delete('Idempotency-Key');
  return body<T>(await ask(path, { method: 'POST', headers: h, body: encoded(content), signal, cache: 'no-store' }));
}

/** An Idempotency-Key that nobody else makes. */
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');
}

function headers(key: string, content: unknown, ifMatch?: number | string): Headers {
  const h = new Headers({ Accept: 'application/json', 'Idempotency-Key': key });
  const csrf = caller.csrf();
  if (csrf) h.set('X-CSRF-Token', csrf);
  if (content !== undefined) h.set('Content-Type', content instanceof Blob ? 'application/octet-stream' : 'application/json');
  if (ifMatch !== undefined) h.set('If-Match', String(ifMatch).startsWith('"') ? String(ifMatch) : `"${ifMatch}"`);
  return h;
}

function encoded(content: unknown): BodyInit | undefined {
  return content === undefined || content instanceof Blob ? content : JSON.stringify(content);
}

async function ask(path: string, init: RequestInit): Promise<Response> {
  let r: Response;
  try {
    r = await fetch(path, { credentials: 'same-origin', redirect: 'error', ...init });
  } catch (e) {
    if (e instanceof DOMException && e.name === 'AbortError') throw e;
    throw new ProblemError(away);
  }
  if (r.ok) return r;
  const problem = await problemOf(r);
  if (r.status === 401) caller.lost();
  throw new ProblemError(problem, seconds(r.headers.get('Retry-After')));
}

async function body<T>(r: Response): Promise<T> {
  if (r.status === 204 || r.headers.get('Content-Length') === '0') return undefined as T;
  try {
    return (await r.json()) as T;
  } catch (e) {
    if (e instanceof DOMException && e.name === 'AbortError') throw e;
    throw new ProblemError({ ...away, detail: 'The answer was cut off or is not what the server should send. Try again.' });
  }
}

async function problemOf(r: Response): Promise<S['Problem']> {
  try {
    const p = (await r.json()) as Partial<S['Problem']>;
    if (typeof p.title === 'string' && typeof p.code === 'string') return { type: 'about:blank', ...p, title: p.title, code: p.code, status: r.status };
  } catch {
    // Something in between answered, which speaks no JSON.
  }
  return { type: 'about:blank', title: r.statusText || `Status ${r.status}`, status: r.status, code: 'unknown', detail: `Something between here and the server answered with status ${r.status}.` };
}

function seconds(value: string | null): number | undefined {
  if (value === null) return undefined;
  const n = Number(value);
  if (Number.isFinite(n)) return Math.max(0, n);
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, (at - Date.now()) / 1000);
}
