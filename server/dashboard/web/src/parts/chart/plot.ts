// uPlot, which draws on a canvas; it is loaded when the first chart is shown.
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { number, type NumberKind } from '../format';
import { colourOf, type ChartProps, type Colour, type Values } from './data';

/** A drawn chart. */
export interface Plot {
  /** Draws other values in the same series. */
  show(p: ChartProps): void;
  resize(width: number, height: number): void;
  /** Moves the cursor to a point, or away. */
  point(i: number | null): void;
  destroy(): void;
}

/** What changes only by drawing anew. */
export function shapeOf(p: ChartProps): string {
  return JSON.stringify([p.series.map((s) => [s.label, s.kind, s.dashed, s.colour, !!s.low]), p.xAs, p.as, p.logX, p.logY, p.xLabel, p.yLabel, p.min, p.max, p.height]);
}

/** Draws into a host, whose style names the colours. Told where the cursor is. */
export function draw(host: HTMLElement, p: ChartProps, width: number, moved: (i: number | null) => void): Plot {
  let now = p;
  const style = getComputedStyle(host);
  const colour = (name: Colour | 'grid' | 'muted' | 'text' | 'surface') => style.getPropertyValue(`--${name}`).trim();
  const u = new uPlot(options(p, colour, () => now, width, moved), data(p), host);
  return {
    show(next) {
      now = next;
      u.setData(data(next));
    },
    resize: (w, h) => u.setSize({ width: w, height: h }),
    point(i) {
      if (i === null) u.setCursor({ left: -10, top: -10 });
      else u.setCursor({ left: u.valToPos(now.x[i]!, 'x'), top: u.over.clientHeight / 2 });
    },
    destroy: () => u.destroy(),
  };
}

const nulls = (values: Values, log?: boolean) => values.map((v) => (v === undefined || v === null || (log && v <= 0) ? null : v));

// Each band is two lines that are not drawn, behind the line itself.
function data(p: ChartProps): uPlot.AlignedData {
  const bands = p.series.filter((s) => s.low && s.high).flatMap((s) => [nulls(s.high!, p.logY), nulls(s.low!, p.logY)]);
  return [p.x, ...bands, ...p.series.map((s) => nulls(s.values, p.logY))] as uPlot.AlignedData;
}

type Paint = (name: Colour | 'grid' | 'muted' | 'text' | 'surface') => string;

function options(p: ChartProps, colour: Paint, now: () => ChartProps, width: number, moved: (i: number | null) => void): uPlot.Options {
  const banded = p.series.map((s, i) => ({ s, i })).filter(({ s }) => s.low && s.high);
  return {
    width,
    height: p.height ?? 220,
    padding: [12, 24, 0, 0],
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, y: false, points: { size: 7 } },
    scales: {
      x: { time: false, distr: p.logX ? 3 : 1 },
      y: { distr: p.logY ? 3 : 1, range: p.logY ? undefined : (_, __, high) => range(now(), high) },
    },
    axes: [axisX(p, colour), axisY(p, colour)],
    bands: banded.map(({ s, i }, n) => ({ series: [1 + 2 * n, 2 + 2 * n] as [number, number], fill: faint(colour(colourOf(s, i)), 0.18) })),
    series: [
      {},
      ...banded.flatMap(() => [edge(), edge()]),
      ...p.series.map((s, i) => line(s, colour(colourOf(s, i)))),
    ],
    hooks: {
      draw: [(u) => annotate(u, now(), colour)],
      setCursor: [(u) => moved(u.cursor.left !== undefined && u.cursor.left >= 0 ? (u.cursor.idx ?? null) : null)],
    },
  };
}

function range(p: ChartProps, high: number | null): [number, number] {
  const low = p.min ?? 0;
  const top = p.max ?? Math.max(high ?? 0, ...(p.levels ?? []).map((l) => l.y)) * 1.06;
  return [low, top > low ? top : low + 1];
}

const edge = (): uPlot.Series => ({ width: 0, points: { show: false } });

function line(s: ChartProps['series'][number], stroke: string): uPlot.Series {
  const points = s.kind === 'points';
  return {
    label: s.label,
    stroke,
    width: points ? 0 : 2,
    dash: s.dashed ? [6, 4] : undefined,
    fill: s.kind === 'area' ? faint(stroke, 0.22) : undefined,
    paths: s.kind === 'step' ? uPlot.paths.stepped!({ align: 1 }) : points ? () => null : undefined,
    points: { show: points || (s.values.length === 1 ? true : undefined), size: points ? 6 : 5, fill: stroke },
  };
}

/** What an axis is of, along it. */
const named = (label?: string): Partial<uPlot.Axis> => (label ? { label, labelSize: 16, labelGap: 0, labelFont: face(12) } : {});

function axisX(p: ChartProps, colour: Paint): uPlot.Axis {
  const as = p.xAs ?? 'time';
  const axis: uPlot.Axis = { stroke: colour('muted'), grid: { show: false }, ticks: { stroke: colour('grid'), size: 4 }, font: face(12), size: 30, space: 72 };
  if (as === 'time') {
    axis.incrs = [1, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 172_800, 432_000, 864_000, 2_592_000, 7_776_000, 31_536_000];
    axis.splits = (_, __, low, high, step) => times(low, high, step);
    axis.values = (_, splits, __, ___, step) => splits.map((v) => clock(new Date(v * 1000), step));
  } else {
    axis.values = (_, splits) => splits.map((v) => (v === null ? '' : number(v, as)));
    Object.assign(axis, named(p.xLabel));
  }
  return axis;
}

// Times of the viewer's clock: from midnight on, also where zones are at half hours.
function times(low: number, high: number, step: number): number[] {
  const day = new Date(low * 1000);
  day.setHours(0, 0, 0, 0);
  const out: number[] = [];
  if (step < 86_400) {
    for (let t = day.getTime() / 1000; t <= high; t += step) if (t >= low) out.push(t);
    return out;
  }
  for (const days = Math.round(step / 86_400); day.getTime() / 1000 <= high; day.setDate(day.getDate() + days)) {
    if (day.getTime() / 1000 >= low) out.push(day.getTime() / 1000);
  }
  return out;
}

const dayOnly = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const timeOnly = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const withSeconds = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });

function clock(at: Date, step: number): string {
  if (step >= 86_400 || (at.getHours() === 0 && at.getMinutes() === 0 && at.getSeconds() === 0)) return dayOnly.format(at);
  return (step < 60 ? withSeconds : timeOnly).format(at);
}

function axisY(p: ChartProps, colour: Paint): uPlot.Axis {
  const as: NumberKind = p.as ?? 'count';
  return {
    stroke: colour('muted'),
    ...named(p.yLabel),
    grid: { stroke: colour('grid'), width: 1, ...(p.logY ? { filter: (_: uPlot, splits: number[]) => splits.map((v) => (Number.isInteger(Math.log10(v)) ? v : null)) } : {}) },
    ticks: { show: false },
    font: face(12),
    gap: 6,
    // As wide as its words, so that nothing is cut off.
    size: (u, values) => {
      if (!values) return 40;
      u.ctx.font = font();
      return Math.ceil(Math.max(...values.map((v) => u.ctx.measureText(v ?? '').width)) / devicePixelRatio) + 16;
    },
    values: (_, splits) => splits.map((v) => (v === null || (as === 'count' && !Number.isInteger(v)) ? '' : number(v, as))),
  };
}

const face = (px: number) => `${px}px system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif`;
const font = () => face(12 * devicePixelRatio); // on the canvas itself; uPlot scales those of its axes

function faint(stroke: string, alpha: number): string {
  return `color-mix(in srgb, ${stroke} ${alpha * 100}%, transparent)`;
}

function annotate(u: uPlot, p: ChartProps, colour: Paint) {
  const { ctx } = u;
  const { left, top, width, height } = u.bbox;
  const unit = devicePixelRatio;
  ctx.save();
  ctx.font = font();
  ctx.textBaseline = 'top';
  ctx.lineWidth = unit;
  let free = -Infinity; // where the word before ended
  for (const m of p.marks ?? []) {
    const x = u.valToPos(m.x, 'x', true);
    if (x < left || x > left + width) continue;
    stroke(ctx, colour(m.colour ?? 'muted'), [3 * unit, 3 * unit], [x, top], [x, top + height]);
    const wide = ctx.measureText(m.label).width;
    const at = x + wide + 6 * unit > left + width ? x - wide - 4 * unit : x + 4 * unit;
    if (at < free) continue;
    write(ctx, m.label, at, top, colour(m.colour ?? 'muted'));
    free = at + wide + 8 * unit;
  }
  for (const l of p.levels ?? []) {
    const y = u.valToPos(l.y, 'y', true);
    if (y < top || y > top + height) continue;
    stroke(ctx, colour(l.colour ?? 'bad'), [6 * unit, 4 * unit], [left, y], [left + width, y]);
    write(ctx, l.label, left + 6 * unit, Math.max(top, y - 16 * unit), colour(l.colour ?? 'bad'));
  }
  ctx.restore();
}

function stroke(ctx: CanvasRenderingContext2D, style: string, dash: number[], from: [number, number], to: [number, number]) {
  ctx.strokeStyle = style;
  ctx.setLineDash(dash);
  ctx.beginPath();
  ctx.moveTo(...from);
  ctx.lineTo(...to);
  ctx.stroke();
}

function write(ctx: CanvasRenderingContext2D, text: string, x: number, y: number, style: string) {
  ctx.fillStyle = style;
  ctx.textAlign = 'left';
  ctx.fillText(text, x, y);
}
