import type { S } from '../api/client';

/** What pages/NAME/route.ts exports as route. */
export interface Route {
  /** The address; a segment that begins with a colon is a parameter. */
  pattern: string;
  /** The title of the tab, which is also what screen readers hear. */
  title: (params: Record<string, string>) => string;
  /** Its place in the navigation; by order, the least first. */
  nav?: { label: string; order: number };
  /** Who lacks this permission does not see it in the navigation. */
  needs?: S['Permission'];
  /** It is shown without a session, and without the frame. */
  open?: boolean;
}

/** The parameters if the path is one of the pattern's, or null. */
export function match(pattern: string, path: string): Record<string, string> | null {
  const want = pattern.split('/');
  const have = path.split('/');
  if (want.length !== have.length) return null;
  const params: Record<string, string> = {};
  for (const [i, w] of want.entries()) {
    const h = have[i] ?? '';
    if (!w.startsWith(':')) {
      if (w !== h) return null;
      continue;
    }
    if (h === '') return null;
    try {
      params[w.slice(1)] = decodeURIComponent(h);
    } catch {
      return null;
    }
  }
  return params;
}

/** Orders patterns so that words come before parameters: /rollouts/new before /rollouts/:id. */
export function narrower(a: string, b: string): number {
  const [x, y] = [a.split('/'), b.split('/')];
  for (let i = 0; i < Math.min(x.length, y.length); i++) {
    const d = Number(x[i]!.startsWith(':')) - Number(y[i]!.startsWith(':'));
    if (d !== 0) return d;
  }
  return a < b ? -1 : a > b ? 1 : 0;
}
