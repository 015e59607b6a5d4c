// All stories of all pages: their own, and the states that each page has
// without being told: loading, error, and empty where it shows lists.
import type { Route } from '../route/route';
import { never, refuse, Reply, type Answer, type Story } from './story';

const routes = import.meta.glob<Route>('../pages/*/route.ts', { eager: true, import: 'route' });
const told = import.meta.glob<Story[]>('../pages/*/stories.ts', { eager: true, import: 'stories' });
const apart = import.meta.glob<Story[]>('./*.stories.ts', { eager: true, import: 'stories' });

/** A story with the page that it is of. */
export interface Shelved extends Story {
  page: string;
}

const away = refuse(503, 'busy', 'The ledger does not answer. Handsets are served all the same.', { 'Retry-After': '30' });

/** Where a story is shown. */
export const address = (s: Shelved) => `/-/${s.page}/${encodeURIComponent(s.name)}`;

export const shelf: Shelved[] = [
  ...Object.entries(routes).flatMap(([file, route]) => {
    const page = file.split('/').at(-2)!;
    const own = told[file.replace(/route\.ts$/, 'stories.ts')] ?? [];
    const names = new Set(own.map((s) => s.name));
    return [...own, ...automatic(route, own[0]).filter((s) => !names.has(s.name))].map((s) => ({ ...s, page }));
  }),
  ...Object.entries(apart).flatMap(([file, own]) => own.map((s) => ({ ...s, page: /([^/]+)\.stories\.ts$/.exec(file)![1]! }))),
];

function automatic(route: Route, first: Story | undefined): Story[] {
  const path = first?.path ?? route.pattern.replace(/:[^/]+/g, 'x');
  const all = (answer: Answer) => ({ 'GET /v1/*': answer });
  const states: Story[] = [
    { ...first, name: 'loading', path, answers: all(never), act: undefined },
    { ...first, name: 'error', path, answers: all(away), act: undefined },
  ];
  const bare = Object.entries(first?.answers ?? {}).map(([what, answer]) => [what, emptied(answer)] as const);
  if (first && bare.some(([what, answer]) => answer !== first.answers[what])) {
    states.push({ ...first, name: 'empty', answers: Object.fromEntries(bare), act: undefined });
  }
  return states;
}

// emptied takes the lists out of an answer, as before there was anything.
function emptied(answer: Answer): Answer {
  if (answer instanceof Reply || typeof answer !== 'object' || answer === null) return answer;
  const lists = Object.entries(answer).filter(([, v]) => Array.isArray(v) && v.length > 0);
  return lists.length === 0 ? answer : { ...answer, ...Object.fromEntries(lists.map(([k]) => [k, []])) };
}
