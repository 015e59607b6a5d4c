import type { S } from '../../api/client';
import type { Story } from '../../stories/story';
import { hostile, keysOf, manyKeys, now } from './made';

const story = (name: string, keys: unknown, more: Partial<Story> = {}): Story => ({ name, path: '/keys', now, answers: { 'GET /v1/keys': keys as object }, ...more });

const open = (page: HTMLElement) => {
  for (const d of page.querySelectorAll('details')) d.open = true;
};

export const stories: Story[] = [
  story('normal', keysOf({})),
  story('keys of every role', keysOf({}), { act: open }),
  story('soon and urgent', keysOf({ targets: 21, root: 110, 'releases-phone': 9 })),
  story('expired', keysOf({ 'releases-phone': -4, timestamp: -1 })),
  story('promise broken', keysOf({ 'releases-phone': -3 }, 55)),
  story('1,000 products', manyKeys(1000)),
  story('hostile texts', hostile, { act: open }),
  story('empty', { at: now, roles: [] } satisfies S['KeyOverview']),
];
