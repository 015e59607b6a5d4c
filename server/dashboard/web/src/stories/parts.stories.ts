import type { Story } from './story';

export const stories: Story[] = [
  { name: 'all', path: '/', view: () => import('./parts.svelte'), answers: {} },
  { name: 'charts', path: '/', view: () => import('./charts.svelte'), answers: {} },
  { name: 'asking', path: '/', view: () => import('./asking.svelte'), answers: {} },
];
