import type { S } from '../../api/client';
import { never, refuse, type Story } from '../../stories/story';
import { edges } from './made/edges';
import { made, type Made } from './made/states';

const path = '/rollouts/42-h3k7wq2m';
const api = `/v1${path}`;
const now = '2014-08-13T03:00:10Z';

function story(name: string, m: Made, more: Partial<Story> = {}): Story {
  return {
    name, path, now,
    answers: { [`GET ${api}`]: m.rollout, [`GET ${api}/health`]: m.health, [`GET ${api}/timeline`]: { entries: m.timeline } },
    ...more,
  };
}

const viewer: S['Caller'] = { kind: 'session', id: 's', name: 'Mei Tan', person: 'oidc:mei.tan', grants: [{ role: 'viewer', products: [] }], permissions: ['read'] };

export const stories: Story[] = [
  ...Object.entries({ ...made, ...edges }).map(([name, m]) => story(name, m)),
  story('a viewer', made.active!, { caller: viewer }),
  story('loading', made.active!, { answers: { [`GET ${api}`]: never, [`GET ${api}/health`]: never, [`GET ${api}/timeline`]: never } }),
  story('loading its numbers', made.active!, { answers: { [`GET ${api}`]: made.active!.rollout, [`GET ${api}/health`]: never, [`GET ${api}/timeline`]: never } }),
  story('error', made.active!, {
    answers: { [`GET ${api}`]: refuse(404, 'not-found', 'There is no rollout 42-h3k7wq2m, or you may not see its product.') },
  }),
];
