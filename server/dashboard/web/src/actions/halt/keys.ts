// Keys that work everywhere. None of them widens anything, and none works while
// somebody types.

/** Whether a key goes into a text that somebody is writing. */
export function typing(target: EventTarget | null): boolean {
  if (!(target instanceof Element)) return false;
  const field = target.closest('input, textarea, select, [contenteditable]');
  if (!field) return false;
  if (!(field instanceof HTMLInputElement)) return true;
  return !['button', 'checkbox', 'radio', 'submit', 'reset', 'file', 'range', 'color', 'image'].includes(field.type);
}

/** Shift+H, on any keyboard layout. */
export function isHaltKey(e: KeyboardEvent): boolean {
  if (!e.shiftKey || e.ctrlKey || e.metaKey || e.altKey || e.repeat) return false;
  return e.key.toLowerCase() === 'h' || (e.code === 'KeyH' && !/^[\x20-\x7e]$/.test(e.key));
}

/** The question mark, which lists the keys. */
export function isHelpKey(e: KeyboardEvent): boolean {
  return e.key === '?' && !e.ctrlKey && !e.metaKey && !e.altKey && !e.repeat;
}

/** The number of a digit key, from 1; undefined for any other. */
export function digit(e: KeyboardEvent): number | undefined {
  if (e.ctrlKey || e.metaKey || e.altKey || e.repeat) return undefined;
  const m = /^(?:Digit|Numpad)([1-9])$/.exec(e.code);
  const n = m ? Number(m[1]) : Number(e.key);
  return Number.isInteger(n) && n >= 1 && n <= 9 ? n : undefined;
}
