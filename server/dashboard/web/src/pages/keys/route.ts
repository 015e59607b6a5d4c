import type { Route } from '../../route/route';

export const route: Route = { pattern: '/keys', title: () => 'Keys', nav: { label: 'Keys', order: 60 }, needs: 'read' };
