import type { Route } from '../../route/route';

export const route: Route = { pattern: '/audit', title: () => 'Audit log', nav: { label: 'Audit log', order: 80 }, needs: 'read' };
