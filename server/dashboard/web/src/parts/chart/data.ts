// What a chart shows, and how its values are read.
import { moment, number, utc, type NumberKind } from '../format';

/** Null and undefined are not known: the line has a gap there, the table says so. */
export type Values = (number | null | undefined)[];

/** Colours of design/tokens.css. */
export type Colour = 'series-1' | 'series-2' | 'series-3' | 'series-4' | 'series-5' | 'series-6' | 'good' | 'bad' | 'warn' | 'idle' | 'accent';

export interface Series {
  label: string;
  /** One for each x. */
  values: Values;
  colour?: Colour;
  /** step holds each value until the next; points draws no line. */
  kind?: 'line' | 'step' | 'points' | 'area';
  dashed?: boolean;
  /** A band around it, such as of confidence. */
  low?: Values;
  high?: Values;
  /** What the band is. */
  band?: string;
}

/** A moment, or any other x, that is marked with a word. */
export interface Mark {
  x: number;
  label: string;
  colour?: Colour;
}

/** A value that is marked across the chart, such as a limit. */
export interface Level {
  y: number;
  label: string;
  colour?: Colour;
}

export interface ChartProps {
  /** What the chart shows, in a few words. */
  label: string;
  /** Rising. Seconds since 1970 if they are times. */
  x: number[];
  series: Series[];
  /** How x is read: time if absent. */
  xAs?: NumberKind | 'time';
  /** What x is: When, if absent. It stands at the axis unless that has times. */
  xLabel?: string;
  /** What y is; absent where the numbers at the axis say it. */
  yLabel?: string;
  /** How values are read; count if absent. */
  as?: NumberKind;
  /** Each axis is linear if absent. Values of 0 and below have no place on a logarithmic one. */
  logX?: boolean;
  logY?: boolean;
  /** The bounds of y; 0 and the greatest value if absent. */
  min?: number;
  max?: number;
  marks?: Mark[];
  levels?: Level[];
  /** In CSS pixels; 220 if absent. */
  height?: number;
  /** What stands in its place while there are no points. */
  empty?: string;
}

/** A value in words. */
export function said(v: number | null | undefined, as: NumberKind): string {
  return v === null || v === undefined ? 'unknown' : number(v, as);
}

/** An x in words. */
export function saidX(x: number, as: NumberKind | 'time', now: Date): string {
  return as === 'time' ? moment(new Date(x * 1000), now) : number(x, as);
}

/** An x to the last digit: times in UTC. */
export function exactX(x: number, as: NumberKind | 'time'): string {
  return as === 'time' ? utc(new Date(x * 1000)) : number(x, as);
}

/** A point in words: what the keyboard's cursor says. */
export function saidAt(p: ChartProps, i: number, now: Date): string {
  const as = p.as ?? 'count';
  const values = p.series.map((s) => {
    const band = s.low?.[i] !== undefined && s.low[i] !== null ? ` (between ${said(s.low[i], as)} and ${said(s.high?.[i], as)})` : '';
    return `${s.label} ${said(s.values[i], as)}${band}`;
  });
  return `${saidX(p.x[i]!, p.xAs ?? 'time', now)}: ${values.join(', ')}`;
}

/** The colour of the series at a place, if it names none. */
export function colourOf(s: Series, i: number): Colour {
  return s.colour ?? (`series-${(i % 6) + 1}` as Colour);
}

/** The rows of the table: all, or so many that are spread evenly, with the last. */
export function rows(n: number, most: number): number[] {
  if (n <= most) return Array.from({ length: n }, (_, i) => i);
  return Array.from({ length: most }, (_, i) => Math.round((i * (n - 1)) / (most - 1)));
}
