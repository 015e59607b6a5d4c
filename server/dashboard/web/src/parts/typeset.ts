// Sentences of the server as they are set on a page: a number is never parted
// from its sign or unit at the end of a line, and large ones are grouped.
import { count, date, gap } from './format';

const units = /(?<=\d) (?=(?:%|s|min|h|d|days?|hours?|minutes?|seconds?|[kMGT]?B|[KMGT]iB)(?![\p{L}\d]))/gu;
const large = /(?<![\p{L}\d.,:#/-])\d{4,15}(?= (?:of \d|outcomes?\b|failures?\b|handsets?\b|attempts?\b|votes?\b|report\b|reports\b))/gu;

/** A sentence with its numbers as people read them. */
export function typeset(text: string): string {
  return text.replace(large, (n) => count(Number(n))).replace(units, gap);
}

/** A piece of a sentence: words, a command, a moment in time, or a day. */
export type Piece = { words: string } | { command: string } | { at: Date } | { day: Date };

const time = /(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|\d{4}-\d\d-\d\d \d\d:\d\d UTC|(?<![\w-])\d{4}-\d\d-\d\d(?![\w-]))/;

function moment(text: string): Piece | undefined {
  if (text.length === 10) {
    const day = date(`${text}T00:00:00Z`);
    return day && { day };
  }
  const at = date(text.endsWith(' UTC') ? `${text.slice(0, 10)}T${text.slice(11, 16)}:00Z` : text);
  return at && { at };
}

/** Takes a sentence apart: what stands between backticks is a command, and times are in UTC. */
export function pieces(text: string): Piece[] {
  return text.split('`').flatMap((part, i): Piece[] => {
    if (i % 2) return [{ command: part }];
    return part.split(time).map((words, j) => (j % 2 && moment(words)) || { words: typeset(words) });
  });
}

/** How long something lasts as plans have it, 2d12h, with its units apart: 2 d 12 h. */
export function lasting(text: string): string {
  if (!/^(?:\d+(?:\.\d+)?(?:d|h|m|s))+$/.test(text)) return text;
  return text.replace(/([\d.]+)([dhms])(?!$)/g, `$1${gap}$2 `).replace(/([\d.]+)([dhms])$/, `$1${gap}$2`).replace(/m(?= |$)/g, 'min');
}
