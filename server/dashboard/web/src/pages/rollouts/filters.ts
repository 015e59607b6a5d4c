// What the list is narrowed to: kept in the address, so that it can be sent to
// a colleague and survives a reload.
import type { S } from '../../api/client';

/** How many rollouts a page has. */
export const pageSize = 50;

export const states: S['RolloutState'][] = ['draft', 'proposed', 'approved', 'scheduled', 'active', 'held', 'halted', 'complete', 'superseded', 'abandoned'];

export interface Filters {
  /** A state; open is all that are not over; empty is all. */
  state: string;
  product: string;
  search: string;
  /** Where the page begins; empty is the newest. */
  before: string;
}

export function filtersOf(search: URLSearchParams): Filters {
  const state = search.get('state') ?? '';
  return {
    state: state === 'open' || (states as string[]).includes(state) ? state : '',
    product: search.get('product') ?? '', search: (search.get('search') ?? '').slice(0, 64), before: search.get('before') ?? '',
  };
}

/** The address of the page with these filters. */
export function address(f: Filters): string {
  const q = new URLSearchParams();
  for (const [k, v] of Object.entries(f)) if (v) q.set(k, v as string);
  const text = q.toString();
  return text ? `/rollouts?${text}` : '/rollouts';
}

/** What the server is asked. */
export function pathOf(f: Filters): string {
  const q = new URLSearchParams({ limit: String(pageSize) });
  if (f.state === 'open') q.set('open', 'true');
  else if (f.state) q.set('state', f.state);
  for (const k of ['product', 'search', 'before'] as const) if (f[k]) q.set(k, f[k]);
  return `/v1/rollouts?${q}`;
}
