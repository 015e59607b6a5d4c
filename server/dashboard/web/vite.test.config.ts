import { readdirSync } from 'node:fs';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

// Builds the tests of the modules without a page (src/**/*.test.ts) as a browser
// would have them, for node --test.
const tests = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.test.ts'));

export default defineConfig({
  plugins: [svelte()],
  build: {
    outDir: 'node_modules/.tests',
    emptyOutDir: true,
    target: 'node20',
    minify: false,
    rolldownOptions: {
      input: Object.fromEntries(tests.map((name) => [name.replaceAll('/', '-').replace(/\.ts$/, ''), `src/${name}`])),
      external: /^node:/,
      output: { entryFileNames: '[name].mjs', chunkFileNames: 'shared/[name]-[hash].mjs' },
    },
  },
});
