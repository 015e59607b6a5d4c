/** A path on this server to go to; the overview for anything else. */
export function local(next: string | null): string {
  if (!next || !next.startsWith('/') || next.startsWith('//') || next.includes('\\')) return '/';
  const u = new URL(next, location.origin);
  return u.origin === location.origin && !u.pathname.startsWith('/sign-in') ? u.pathname + u.search + u.hash : '/';
}
