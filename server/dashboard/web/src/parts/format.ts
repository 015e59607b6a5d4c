// Numbers and times in words. Each function takes a known value: what is not
// known is shown by the part, as unknown.

/** Stands between a number and its sign or unit: a space at which no line ends. */
export const gap = '\u00a0';

/** How a number is to be read. */
export type NumberKind = 'count' | 'ppm' | 'bytes' | 'span' | 'days';

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const three = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });

/** 1,234,567 */
export const count = (n: number) => whole.format(n);

/** Millionths as per cent: 12,345 gives 1.23 %, 1,000,000 gives 100 %. */
export function ppm(n: number): string {
  const text = three.format(n / 10_000);
  // What is not quite all is never rounded up to all, nor what is not nothing down to nothing.
  if (n < 1_000_000 && text === '100') return `99.9${gap}%`;
  return `${text}${gap}%`;
}

/** Decimal units, as vendors and file managers have them: 1.23 MB. */
export function bytes(n: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let i = 0;
  while (Math.abs(n) >= 999.5 && i < units.length - 1) {
    n /= 1000;
    i++;
  }
  return `${three.format(n)}${gap}${units[i]}`;
}

/** Seconds as the two units that matter: 3 h 20 min. */
export function span(seconds: number): string {
  const s = Math.round(Math.abs(seconds));
  const sign = seconds < 0 && s > 0 ? '−' : '';
  const [d, h, m] = [Math.floor(s / 86_400), Math.floor((s % 86_400) / 3600), Math.floor((s % 3600) / 60)];
  const two = (a: string, b: number, unit: string) => sign + (b ? `${a} ${b}${gap}${unit}` : a);
  if (d >= 14) return `${sign}${whole.format(d)}${gap}days`;
  if (d > 0) return two(`${d}${gap}d`, h, 'h');
  if (h > 0) return two(`${h}${gap}h`, m, 'min');
  if (m > 0) return m < 10 ? two(`${m}${gap}min`, s % 60, 's') : `${sign}${m}${gap}min`;
  return `${sign}${s}${gap}s`;
}

/** Days left: 1 day, 12 days; below 0 as −3 days. */
export function days(n: number): string {
  const d = n < 0 ? Math.ceil(n) : Math.floor(n);
  return `${d < 0 ? '−' : ''}${whole.format(Math.abs(d))}${gap}${Math.abs(d) === 1 ? 'day' : 'days'}`;
}

/** A number as its kind has it. */
export function number(n: number, kind: NumberKind): string {
  return { count, ppm, bytes, span, days }[kind](n);
}

/** The same to the last digit, where that says more; otherwise the same. */
export function exact(n: number, kind: NumberKind): string {
  if (kind === 'bytes') return `${whole.format(n)} bytes`;
  if (kind === 'ppm') return `${whole.format(n)} in a million`;
  if (kind === 'span') return `${whole.format(n)} s`;
  return number(n, kind);
}

const clockTime = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const dayTime = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });
const yearTime = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });
const full = new Intl.DateTimeFormat('en-GB', { dateStyle: 'full', timeStyle: 'long' });

/** Seen from now, in the viewer's zone: 14:03, or 3 Nov 14:03, or 3 Nov 2025. */
export function moment(at: Date, now: Date): string {
  if (at.toDateString() === now.toDateString()) return clockTime.format(at);
  return (Math.abs(at.getTime() - now.getTime()) < 180 * 86_400_000 ? dayTime : yearTime).format(at);
}

const dayOf = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' });

/** A day of UTC's calendar: 21 Jan 2027. */
export const daily = (day: Date) => dayOf.format(day);

/** To the second, with the viewer's zone by name. */
export const fully = (at: Date) => full.format(at);

/** To the second in UTC: 2026-11-21 14:03:22 UTC. */
export const utc = (at: Date) => at.toISOString().replace('T', ' ').replace(/\.\d+Z$/, ' UTC');

/** 4 min ago, in 3 h; one unit, as it is to be read at a glance. */
export function relative(at: Date, now: Date): string {
  const s = Math.round((at.getTime() - now.getTime()) / 1000);
  const n = Math.abs(s);
  const text = n < 60 ? `${n}${gap}s` : n < 3600 ? `${Math.floor(n / 60)}${gap}min` : n < 172_800 ? `${Math.floor(n / 3600)}${gap}h` : `${whole.format(Math.floor(n / 86_400))}${gap}days`;
  if (n < 5) return 'now';
  return s < 0 ? `${text} ago` : `in ${text}`;
}

/** A date of the API or the browser; undefined for what is none. */
export function date(at: string | Date | null | undefined): Date | undefined {
  if (at === null || at === undefined || at === '') return undefined;
  const d = typeof at === 'string' ? new Date(at) : at;
  return Number.isNaN(d.getTime()) ? undefined : d;
}
