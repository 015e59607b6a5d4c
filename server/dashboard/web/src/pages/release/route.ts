import type { Route } from '../../route/route';

export const route: Route = { pattern: '/products/:product/releases/:build', title: (p) => `${p.product} build ${p.build}`, needs: 'read' };
