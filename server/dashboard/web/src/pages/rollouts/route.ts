import type { Route } from '../../route/route';

export const route: Route = { pattern: '/rollouts', title: () => 'Rollouts', nav: { label: 'Rollouts', order: 20 } };
