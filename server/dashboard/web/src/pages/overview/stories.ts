import type { S } from '../../api/client';
import { never, refuse, type Asked, type Story } from '../../stories/story';
import { calm, empty, expired, halted, many, nasty, normal, versions } from './made/overviews';

const now = '2014-08-13T03:00:10Z';

function story(name: string, overview: S['Overview'] | ReturnType<typeof refuse>, more: Partial<Story> = {}): Story {
  const answers: Story['answers'] = { 'GET /v1/overview': overview };
  answers['GET /v1/products/*'] = (asked: Asked) => versions(decodeURIComponent(asked.path.split('/')[3] ?? ''));
  return { name, path: '/', now, answers, ...more };
}

export const stories: Story[] = [
  story('normal', normal),
  story('one product, nothing wrong', calm),
  story('halted in the night', halted),
  story('expired', expired),
  story('200 products', many),
  story('empty', empty),
  story('hostile texts', nasty),
  story('stale', normal, { live: 'stale' }),
  story('loading', never),
  story('error', refuse(503, 'busy', 'The server has too much to do. Try again in 5 s.', { 'Retry-After': '5' })),
];
