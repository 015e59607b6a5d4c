// What the log is narrowed to: kept in the address, so that it can be sent to a
// colleague and survives a reload.
export interface Filters {
  who: string;
  /** What was done begins so. */
  what: string;
  subject: string;
  /** As RFC 3339, in UTC. */
  since: string;
  until: string;
  /** Where the page begins; empty is the newest. */
  before: string;
}

/** How many entries a page has. */
export const pageSize = 100;

const names = ['who', 'what', 'subject', 'since', 'until', 'before'] as const;

/** Families of what can be done, for a list to choose from; any beginning will do. */
export const families = ['auth.', 'batch.', 'event.', 'hook.', 'lab.', 'product.', 'release.', 'rollout.', 'rollout.halt', 'token.', 'votes.'];

const time = (text: string | null) => (text && !Number.isNaN(Date.parse(text)) ? new Date(text).toISOString().replace(/\.\d+Z$/, 'Z') : '');

export function filtersOf(q: URLSearchParams): Filters {
  return {
    who: (q.get('who') ?? '').slice(0, 256), what: (q.get('what') ?? '').slice(0, 64), subject: (q.get('subject') ?? '').slice(0, 256),
    since: time(q.get('since')), until: time(q.get('until')), before: /^\d{1,18}$/.test(q.get('before') ?? '') ? q.get('before')! : '',
  };
}

function query(f: Filters, ...but: string[]): URLSearchParams {
  const q = new URLSearchParams();
  for (const n of names) if (f[n] && !but.includes(n)) q.set(n, f[n]);
  return q;
}

/** The address of this page with these filters. */
export function address(f: Filters): string {
  const text = query(f).toString();
  return text ? `/audit?${text}` : '/audit';
}

/** What the server is asked: the newest first. */
export function pathOf(f: Filters): string {
  const q = query(f, 'before');
  q.set('before', f.before || '0');
  q.set('limit', String(pageSize));
  return `/v1/audit?${q}`;
}

/** Where the same is downloaded, whole, the oldest first. */
export function exportOf(f: Filters): string {
  const text = query(f, 'before').toString();
  return text ? `/v1/audit/export?${text}` : '/v1/audit/export';
}

/** Whether an export leaves entries out between its first and its last. */
export const gaps = (f: Filters) => !!(f.who || f.what || f.subject);

/** Whether anything narrows the log. */
export const narrowed = (f: Filters) => gaps(f) || !!(f.since || f.until);

/** A moment as <input type="datetime-local"> has it, in the viewer's zone. */
export function local(utc: string): string {
  if (!utc) return '';
  const d = new Date(utc);
  return new Date(d.getTime() - d.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** Where the subject of an entry has a page of its own; else undefined. */
export function pageOf(what: string, subject: string): string | undefined {
  const family = what.split('.')[0];
  if (subject === '') return undefined;
  if (family === 'rollout') return `/rollouts/${encodeURIComponent(subject)}`;
  if (family === 'event' && /^[0-9a-f]{64}$/.test(subject)) return `/events/${subject}`;
  const release = /^([a-z0-9-]+) build (\d+)$/.exec(subject);
  if (release && (family === 'release' || family === 'votes')) return `/products/${release[1]}/releases/${release[2]}`;
  if (family === 'product' && /^[a-z0-9-]+$/.test(subject)) return `/products/${subject}`;
  return undefined;
}
