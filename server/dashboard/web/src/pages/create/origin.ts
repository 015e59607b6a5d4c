// Where the plan of a new rollout comes from: nothing, another rollout's plan,
// a rescue, or a draft that is edited.
import { get, type S } from '../../api/client';
import type { Plan } from '../../actions/plan';
import { empty, formOf, type Form } from './form';

export interface Origin {
  kind: 'new' | 'from' | 'rescue' | 'edit';
  id?: string;
  build?: string;
  product?: string;
}

/** What an address asks for. */
export function originOf(search: URLSearchParams): Origin {
  for (const kind of ['edit', 'rescue', 'from'] as const) {
    const id = search.get(kind);
    if (id) return { kind, id, build: search.get('build') ?? undefined };
  }
  return { kind: 'new', product: search.get('product') ?? undefined, build: search.get('build') ?? undefined };
}

/** The form to begin with; of a draft with its version. */
export async function load(o: Origin): Promise<{ form: Form; draft?: S['Rollout'] }> {
  if (o.kind === 'new') return { form: { ...empty(), product: o.product ?? '', build: o.build ?? '' } };
  const id = encodeURIComponent(o.id ?? '');
  const rollout = (await get<S['Rollout']>(`/v1/rollouts/${id}`)).data;
  if (o.kind === 'edit') return { form: formOf(rollout.plan as unknown as Plan), draft: rollout };
  const path = o.kind === 'rescue' ? 'rescue' : 'template';
  const build = encodeURIComponent(o.build ?? String(rollout.build));
  return { form: formOf((await get<Plan>(`/v1/rollouts/${id}/${path}?build=${build}`)).data) };
}

const place = (o: Origin) => `candor-plan:${[o.kind, o.id, o.product, o.build].map((part) => encodeURIComponent(part ?? '')).join(':')}`;

/** What was typed before a reload, if anything, and into which version of a draft. */
export function kept(o: Origin): { form: Form; version: number | undefined } | undefined {
  try {
    const text = sessionStorage.getItem(place(o));
    if (!text) return undefined;
    const { form, version } = JSON.parse(text) as { form?: Partial<Form>; version?: number };
    return Array.isArray(form?.stages) ? { form: { ...empty(), ...form }, version } : undefined;
  } catch {
    return undefined; // storage is off, or holds something else
  }
}

/** Keeps what is typed, into a version of a draft, over a reload; undefined forgets it. */
export function keep(o: Origin, form: Form | undefined, version?: number): void {
  try {
    if (form) sessionStorage.setItem(place(o), JSON.stringify({ form, version }));
    else sessionStorage.removeItem(place(o));
  } catch {
    // Storage is off: then a reload loses it, as pages do.
  }
}
