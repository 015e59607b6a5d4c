import type { Route } from '../../route/route';

export const route: Route = { pattern: '/approvals', title: () => 'Approvals', nav: { label: 'Approvals', order: 30 } };
