import { readFileSync, readdirSync } from 'node:fs';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin } from 'vite';

// routes tells the server, in dist/routes.json, which addresses are the app's:
// the pattern of each page's route.ts, as the router finds them.
function routes(): Plugin {
  return {
    name: 'candor-routes',
    apply: (_, { command, mode, isSsrBuild }) => command === 'build' && mode !== 'stories' && !isSsrBuild,
    generateBundle() {
      const pages = new URL('./src/pages/', import.meta.url);
      const patterns = readdirSync(pages, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => {
          const found = /pattern:\s*'([^']+)'/.exec(readFileSync(new URL(`${name}/route.ts`, pages), 'utf8'));
          if (!found?.[1]) throw new Error(`src/pages/${name}/route.ts has no pattern`);
          return found[1];
        })
        .sort();
      this.emitFile({ type: 'asset', fileName: 'routes.json', source: JSON.stringify(patterns, null, 1) + '\n' });
    },
  };
}

// storybook lets `vite` show the stories at /-/, and the app at all else.
function storybook(): Plugin {
  return {
    name: 'candor-storybook',
    configureServer(server) {
      server.middlewares.use((request, _, next) => {
        if (request.url?.startsWith('/-/')) request.url = '/stories.html';
        next();
      });
    },
  };
}

export default defineConfig(({ mode, isSsrBuild }) => ({
  plugins: [svelte(), routes(), storybook()],
  build: {
    rolldownOptions: {
      input: mode === 'stories' ? 'stories.html' : 'index.html',
      // What nearly every page uses is one file, not twenty small ones. Stories
      // pretend to be a server before any of it is loaded.
      output: mode === 'stories' || isSsrBuild ? {} : { codeSplitting: { groups: [{ name: 'parts', test: /\/src\/(?:api|design|live|parts|route)\/(?!chart\/)/ }] } },
    },
    outDir: '../dist',
    emptyOutDir: true,
    // What loads what, for the test of how much the first look costs.
    manifest: mode === 'stories' ? false : 'manifest.json',
    target: 'es2022',
    // Nothing becomes a data: address, which the content security policy would refuse.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    sourcemap: false,
  },
  server: {
    host: '127.0.0.1',
    proxy: { '/v1': { target: process.env.CANDOR_SERVER ?? 'http://127.0.0.1:8080', changeOrigin: false } },
  },
}));
