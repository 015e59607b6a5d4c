// How far this installation has come, by what the API says.
import type { S } from '../../api/client';
import { query } from '../../live/query.svelte';

/** A step is done, not yet, or it is not known. */
export type Tick = 'done' | 'open' | 'unknown';

/** Asks what is there; to be called while a component is made. */
export function progress() {
  const keys = query<S['KeyOverview']>(() => '/v1/keys', () => ['keys']);
  const products = query<S['ProductList']>(() => '/v1/products', () => ['product/*', 'keys']);
  const product = $derived(products.data?.products[0]);
  const releases = query<S['ReleaseList']>(() => (product ? `/v1/products/${product}/releases` : null), () => [`product/${product}`]);
  const newest = $derived([...(releases.data?.releases ?? [])].filter((r) => r.state === 'live').sort((a, b) => b.build - a.build)[0]);
  const rollouts = query<S['RolloutList']>(() => '/v1/rollouts?limit=20', () => ['rollouts']);
  const started = $derived(rollouts.data?.rollouts.find((r) => !['draft', 'proposed', 'approved', 'abandoned'].includes(r.state)));
  const counts = query<S['Counts']>(() => (started ? `/v1/products/${started.product}/releases/${started.build}/counts` : null), () => (started ? [`counts/${started.product}/${started.build}`] : []));

  const tick = (done: boolean, known: boolean): Tick => (done ? 'done' : known ? 'open' : 'unknown');
  const rooted = $derived(!!keys.data?.roles.some((r) => r.role === 'root') || (products.data?.products.length ?? 0) > 0);
  const noRoot = $derived(keys.error?.problem.code === 'not-configured');

  return {
    get root(): Tick { return tick(rooted, !!keys.data || noRoot); },
    get product(): Tick { return tick(!!product, !!products.data || noRoot); },
    get release(): Tick { return tick(!!newest, product ? !!releases.data : !!products.data || noRoot); },
    get rollout(): Tick { return tick(!!started, !!rollouts.data); },
    get handset(): Tick { return tick((counts.data?.attempts ?? 0) > 0, started ? !!counts.data : !!rollouts.data); },
    /** The first product, and its newest live build; undefined where there is none. */
    get names() { return { product, build: newest?.build }; },
    get started() { return started; },
    get drafted() { return rollouts.data?.rollouts[0]; },
  };
}
