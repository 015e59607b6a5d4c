import type { Route } from '../../route/route';

export const route: Route = { pattern: '/rollouts/new', title: () => 'New rollout', needs: 'operate' };
