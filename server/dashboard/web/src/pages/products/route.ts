import type { Route } from '../../route/route';

export const route: Route = { pattern: '/products', title: () => 'Products', nav: { label: 'Products', order: 40 }, needs: 'read' };
