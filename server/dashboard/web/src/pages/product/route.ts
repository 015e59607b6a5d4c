import type { Route } from '../../route/route';

export const route: Route = { pattern: '/products/:product', title: (p) => `${p.product}`, needs: 'read' };
