import type { Route } from '../../route/route';

export const route: Route = { pattern: '/people', title: () => 'People and tokens', nav: { label: 'People', order: 70 }, needs: 'administer' };
