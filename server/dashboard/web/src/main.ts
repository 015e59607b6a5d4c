import './design/tokens.css';
import './design/base.css';
import { mount } from 'svelte';
import { session } from './api/session.svelte';
import './design/theme.svelte';
import App from './frame/app.svelte';
import { start } from './route/router.svelte';

// A part of a page that cannot be loaded is told of where it is missing: whoever
// imports it finds nothing, or fails, and says so.
addEventListener('vite:preloadError', (e) => e.preventDefault());

await Promise.all([session.load(), start()]);
mount(App, { target: document.getElementById('app')! });
document.getElementById('plain')!.hidden = true;
