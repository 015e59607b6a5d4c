import type { Route } from '../../route/route';

export const route: Route = { pattern: '/rollouts/:id', title: (p) => `Rollout ${p.id ?? ''}`, needs: 'read' };
