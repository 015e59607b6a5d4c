// One blob on its way: checked against its name, then sent in pieces that the
// server keeps one by one. After a break, a reload or at another server it goes
// on where the server stands; what is there already is not sent.
import { caller, get, ProblemError, send, type S } from '../../api/client';

/** The size of a piece, in bytes: small enough to be told apart on a slow line, well below the server's 64 MiB. */
const piece = 4 << 20;
/** Browsers hash only what is in memory as a whole: beyond this the server alone checks, in bytes. */
const hashable = 256 << 20;
/** How often one piece is tried, and the longest wait between two tries, in ms. */
const tries = 8;
const longest = 15_000;

export class Upload {
  readonly file: File;
  readonly sha256: string;
  state: 'waiting' | 'hashing' | 'sending' | 'done' | 'failed' | 'stopped' = $state('waiting');
  /** Bytes that the server has. */
  sent = $state(0);
  /** It was checked here before it was sent. */
  checked = $state(false);
  trouble = $state('');
  error: Error | undefined = $state.raw();
  #stop = new AbortController();

  constructor(file: File, sha256: string) {
    this.file = file;
    this.sha256 = sha256;
  }

  stop() {
    this.#stop.abort();
    if (this.state !== 'done') this.state = 'stopped';
  }

  async run(): Promise<void> {
    this.#stop = new AbortController();
    this.error = undefined;
    try {
      this.state = 'hashing';
      await this.#hash();
      this.state = 'sending';
      let at = await this.#begin();
      while (!at.complete) at = await this.#next(at);
      this.sent = this.file.size;
      this.state = 'done';
    } catch (e) {
      if (this.#stop.signal.aborted) return;
      this.error = e as Error;
      this.state = 'failed';
    } finally {
      this.trouble = '';
    }
  }

  async #hash() {
    // Over plain HTTP, away from this machine, browsers do not hash.
    if (this.checked || this.file.size > hashable || !globalThis.crypto?.subtle) return;
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await this.file.arrayBuffer()));
    const hex = Array.from(digest, (b) => b.toString(16).padStart(2, '0')).join('');
    if (hex !== this.sha256) throw new Error(`Its content has another hash than its name says (${hex.slice(0, 12)}…). It was damaged or changed on its way; get it again. Nothing was sent.`);
    this.checked = true;
  }

  async #begin(): Promise<S['Upload']> {
    const at = await this.#patiently(() => send<S['Upload']>('POST', '/v1/uploads', { sha256: this.sha256, size: this.file.size } satisfies S['UploadRequest']));
    this.sent = at.offset;
    return at;
  }

  async #next(at: S['Upload']): Promise<S['Upload']> {
    const to = Math.min(at.offset + piece, this.file.size);
    const now = await this.#patiently(() => this.#patch(at.id, at.offset, this.file.slice(at.offset, to)), async () => {
      // What arrived of a piece that broke off is kept: go on from there.
      const is = (await get<S['Upload']>(`/v1/uploads/${at.id}`, this.#stop.signal)).data;
      return is.offset === at.offset ? undefined : is;
    });
    this.sent = now.offset;
    return now;
  }

  async #patch(id: string, offset: number, bytes: Blob): Promise<S['Upload']> {
    const headers = new Headers({ 'Content-Type': 'application/octet-stream', 'Upload-Offset': String(offset), Accept: 'application/json' });
    const csrf = caller.csrf();
    if (csrf) headers.set('X-CSRF-Token', csrf);
    const r = await fetch(`/v1/uploads/${id}`, { method: 'PATCH', headers, body: bytes, credentials: 'same-origin', redirect: 'error', signal: this.#stop.signal });
    if (r.ok) return (await r.json()) as S['Upload'];
    const p = (await r.json().catch(() => ({}))) as Partial<S['Problem']>;
    throw new ProblemError({ type: 'about:blank', title: p.title ?? r.statusText, status: r.status, code: p.code ?? 'unknown', ...(p.detail ? { detail: p.detail } : {}) }, Number(r.headers.get('Retry-After')) || undefined);
  }

  // Tries again what passes by itself. instead is asked after each failure and
  // may give the answer.
  async #patiently(f: () => Promise<S['Upload']>, instead?: () => Promise<S['Upload'] | undefined>): Promise<S['Upload']> {
    for (let n = 1; ; n++) {
      try {
        return await f();
      } catch (e) {
        const p = e instanceof ProblemError ? e : undefined;
        const passes = !p || p.status === 0 || p.status >= 500 || p.status === 408 || p.status === 429 || p.problem.code === 'wrong-offset';
        if (this.#stop.signal.aborted || !passes || n === tries) throw p ?? new Error('The server could not be reached. What it has is kept: go on later.');
        this.trouble = `Try ${n} brought nothing; it goes on.`;
        await new Promise((done) => setTimeout(done, p?.problem.code === 'wrong-offset' ? 200 : Math.max((p?.retryAfter ?? 0) * 1000, Math.min(longest, 500 * 2 ** n))));
        const is = await instead?.().catch(() => undefined);
        if (is) return is;
      }
    }
  }
}
