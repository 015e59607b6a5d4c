// What the HALT button of the frame halts: on the page of a rollout that one.
import type { Target } from './halt.svelte';
import { place } from '../../route/router.svelte';
import { running } from './running.svelte';

class Shown {
  /** What the page that is shown says about itself: halts names the rollout if a halt stops something. */
  page: { id: string; halts?: Target } | undefined = $state.raw();
}

/** Set by the actions of a rollout while they are shown. */
export const shown = new Shown();

/** The rollout whose page this is, if a halt may stop something. */
export function here(): Target | undefined {
  const id = place.params['id'];
  if (!id || !/^\/rollouts\/[^/]+$/.test(place.path)) return undefined;
  if (shown.page?.id === id) return shown.page.halts;
  const known = running.list.find((r) => r.id === id);
  if (known) return { id, product: known.product, build: known.build };
  // Nothing is known about it: it may run, and the server knows.
  return running.at && !running.failed ? undefined : { id };
}
