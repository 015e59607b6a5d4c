// What a number or a time means, shown beside it on hover, focus and tap. There
// is one tip for the whole page; frame/tip.svelte shows it.
import type { Attachment } from 'svelte/attachments';

/** A line of the tip: a name, or none, and the words. */
export interface Explained {
  words: string;
  source?: string;
  at?: string;
}

class Tip {
  on: { anchor: HTMLElement; tell: () => Explained } | undefined = $state.raw();
  #leaving: ReturnType<typeof setTimeout> | undefined;

  show(anchor: HTMLElement, tell: () => Explained) {
    clearTimeout(this.#leaving);
    this.on = { anchor, tell };
  }

  /** Keeps it, as the pointer has moved onto the tip itself. */
  stay() {
    clearTimeout(this.#leaving);
  }

  /** Hides it, unless the pointer comes back at once. */
  leave(anchor?: HTMLElement) {
    clearTimeout(this.#leaving);
    this.#leaving = setTimeout(() => {
      if (!anchor || this.on?.anchor === anchor) this.on = undefined;
    }, 120);
  }

  hide() {
    clearTimeout(this.#leaving);
    this.on = undefined;
  }
}

export const tip = new Tip();

/** Explains an element: {@attach explained(() => ({ words: '…' }))}. */
export function explained(tell: () => Explained): Attachment<HTMLElement> {
  return (node) => {
    const show = () => tip.show(node, tell);
    const leave = () => tip.leave(node);
    const events: [string, () => void][] = [['pointerenter', show], ['focus', show], ['click', show], ['pointerleave', leave], ['blur', leave]];
    for (const [name, f] of events) node.addEventListener(name, f);
    return () => {
      for (const [name, f] of events) node.removeEventListener(name, f);
      if (tip.on?.anchor === node) tip.hide();
    };
  };
}
