import type { Route } from '../../route/route';

export const route: Route = { pattern: '/system', title: () => 'System', nav: { label: 'System', order: 90 } };
