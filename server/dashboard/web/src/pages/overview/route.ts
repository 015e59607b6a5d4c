import type { Route } from '../../route/route';

export const route: Route = { pattern: '/', title: () => 'Overview', nav: { label: 'Overview', order: 10 }, needs: 'read' };
