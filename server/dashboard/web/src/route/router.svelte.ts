// The router over the History API. Plain links work: a click on one within the
// app goes through here, everything else through the browser.
import type { Component } from 'svelte';
import { match, narrower, type Route } from './route';

const routes = import.meta.glob<Route>('../pages/*/route.ts', { eager: true, import: 'route' });
const pages = import.meta.glob<Component>('../pages/*/page.svelte', { import: 'default' });

/** A page that the app has. */
export interface Page {
  route: Route;
  load: () => Promise<Component>;
}

/** All pages, the narrower patterns first. */
export const all: Page[] = Object.entries(routes)
  .map(([file, route]) => {
    const load = pages[file.replace(/route\.ts$/, 'page.svelte')];
    if (!load) throw new Error(`${file} has no page.svelte beside it`);
    return { route, load };
  })
  .sort((a, b) => narrower(a.route.pattern, b.route.pattern));

class Place {
  /** Where the page that is shown stands. */
  path = $state('/');
  params: Record<string, string> = $state.raw({});
  search: URLSearchParams = $state.raw(new URLSearchParams());
  /** The page that is shown; undefined if there is none at this path. */
  page: Page | undefined = $state.raw();
  view: Component | undefined = $state.raw();
  /** A page is being loaded. */
  loading = $state(false);
  /** Why a page could not be loaded. */
  failed = $state(false);
}

export const place = new Place();

/** The page at a path, with its parameters. */
export function find(path: string): { page: Page; params: Record<string, string> } | undefined {
  for (const page of all) {
    const params = match(page.route.pattern, path);
    if (params) return { page, params };
  }
  return undefined;
}

let turn = 0;

async function show(url: URL, after: () => void): Promise<void> {
  const mine = ++turn;
  const found = find(url.pathname);
  let view: Component | undefined;
  place.loading = true;
  try {
    view = await found?.page.load();
    if (found && !view) throw new Error('it could not be loaded'); // see main.ts
  } catch {
    const there = await answers(url);
    if (mine === turn) renewed(url, there);
    return;
  }
  if (mine !== turn) return;
  place.loading = false;
  place.failed = false;
  place.params = found?.params ?? {};
  place.search = url.searchParams;
  place.page = found?.page;
  place.view = view;
  place.path = url.pathname;
  document.title = `${found ? found.page.route.title(place.params) : 'Not found'} · Candor`;
  after();
}

/** How long a server may take to say that it is there, in ms. */
const patience = 5_000;

async function answers(url: URL): Promise<boolean> {
  const asked = { method: 'HEAD', headers: { Accept: 'text/html' }, cache: 'no-store', signal: AbortSignal.timeout(patience) } as const;
  return fetch(url, asked).then((r) => r.ok, () => false);
}

// The server was renewed meanwhile and has the page under another name: the
// whole app is loaded anew, but not over and over. Where it is the network that
// is away, what is here stays, with the halts that are still being sent.
function renewed(url: URL, there: boolean) {
  const key = 'candor-renewed';
  if (there && sessionStorage.getItem(key) !== url.pathname) {
    sessionStorage.setItem(key, url.pathname);
    location.assign(url);
    return;
  }
  sessionStorage.removeItem(key);
  place.loading = false;
  place.failed = true;
}

/** Goes to a path of the app, or leaves it for any other. */
export function go(path: string, o: { replace?: boolean } = {}): void {
  const url = new URL(path, location.origin);
  if (url.origin !== location.origin || !find(url.pathname)) {
    location.assign(url);
    return;
  }
  const same = url.pathname === place.path;
  if (o.replace) history.replaceState({}, '', url);
  else {
    history.replaceState({ ...history.state, top: scrollY }, '');
    history.pushState({}, '', url);
  }
  void show(url, () => same || arrive());
}

// A new page begins at its top, and a keyboard or screen reader in it.
function arrive() {
  requestAnimationFrame(() => {
    scrollTo(0, 0);
    document.getElementById('content')?.focus({ preventScroll: true });
  });
}

function clicked(e: MouseEvent) {
  if (e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
  const a = (e.target as Element | null)?.closest('a');
  if (!a || a.target || a.hasAttribute('download') || a.origin !== location.origin || !find(a.pathname)) return;
  if (a.pathname === location.pathname && a.search === location.search && a.hash) return;
  e.preventDefault();
  go(a.href);
}

/** Begins to route; resolves when the first page is there. */
export async function start(): Promise<void> {
  history.scrollRestoration = 'manual';
  document.addEventListener('click', clicked);
  addEventListener('popstate', (e) => {
    const top = (e.state as { top?: number } | null)?.top ?? 0;
    void show(new URL(location.href), () => requestAnimationFrame(() => scrollTo(0, top)));
  });
  await show(new URL(location.href), () => undefined);
}
