import type { S } from '../../api/client';
import { refuse, type Story } from '../../stories/story';
import { keysOf, now } from '../keys/made';
import { at, brief, release } from '../release/made';

const builds = [43, 42, 41, 40];

function versions(): S['Versions'] {
  const points = Array.from({ length: 120 }, (_, i) => ({
    at: at(-30 + i / 4),
    healthy: builds.map((_, b) => {
      const from = 100 - b * 34;
      if (i < from) return i < 8 && b > 2 ? null : 0;
      return Math.round(41_000 * (1 - Math.exp(-(i - from) / 18)));
    }),
  }));
  return { product: 'phone', at: now, builds: builds.map((build) => ({ build, version: `6.${build}` })), points };
}

const none: S['Versions'] = { product: 'phone', at: now, builds: [], points: [] };

interface Made {
  releases?: unknown;
  versions?: unknown;
  rollouts?: S['RolloutBrief'][];
  keys?: unknown;
}

function story(name: string, m: Made, more: Partial<Story> = {}, product = 'phone'): Story {
  const path = `/v1/products/${encodeURIComponent(product)}`;
  const answers: Story['answers'] = {
    [`GET ${path}/releases`]: (m.releases ?? { releases: usual }) as object, [`GET ${path}/versions`]: (m.versions ?? versions()) as object,
    'GET /v1/rollouts': { rollouts: m.rollouts ?? [brief('phone', 43, 'active', 50_000), brief('phone', 42, 'complete', 1_000_000), brief('phone', 41, 'halted', 10_000, { reason: 'wifi-down: 14 of 212 trials' })] },
    'GET /v1/keys': (m.keys ?? keysOf({})) as object,
  };
  return { name, path: `/products/${encodeURIComponent(product)}`, now, answers, ...more };
}

const usual = [
  release('phone', 43), release('phone', 42, { risk: 'security', published: at(-20) }), release('phone', 41, { state: 'withdrawn', risk: '', published: at(-31) }),
  release('phone', 40, { state: 'retired', risk: '', published: at(-140) }),
];
const long = 'x'.repeat(64);

export const stories: Story[] = [
  story('normal', {}),
  story('no release yet', { releases: { releases: [] }, versions: none, rollouts: [] }),
  story('nobody reports', { versions: none }),
  story('2,000 releases', { releases: { releases: Array.from({ length: 2000 }, (_, i) => release('phone', 2000 - i)) } }),
  story('list is late', { keys: keysOf({ 'releases-phone': -3 }, 55) }),
  story('hostile texts', {
    releases: { releases: [release('phone', 43, { version: '\u202E<script>alert(1)</script>' }), release('phone', 42, { version: 'W'.repeat(64) })] },
    rollouts: [brief('phone', 43, 'halted', 10_000, { reason: 'R'.repeat(500) })],
  }, {}, long),
  story('not there', { releases: refuse(404, 'not-found', 'there is no such thing') }),
  story('parts fail', { versions: refuse(503, 'busy', 'The server has too much to do.'), keys: refuse(500, 'internal', 'the server failed; its log has the reason') }),
];
