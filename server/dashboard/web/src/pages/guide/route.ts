import type { Route } from '../../route/route';

export const route: Route = { pattern: '/guide', title: () => 'From nothing to a first handset', nav: { label: 'Guide', order: 95 } };
