// The storybook: /-/ lists all stories, /-/PAGE/NAME shows one. A page stands at
// its own address meanwhile, so after a reload it is the last one again.
import '../design/tokens.css';
import '../design/base.css';
import { mount, tick } from 'svelte';
import { address, shelf, type Shelved } from './all';
import { pretend } from './fake';
import Index from './index.svelte';

const kept = 'candor-story';
const asked = decodeURI(location.pathname);
const at = asked.startsWith('/-') ? asked : (sessionStorage.getItem(kept) ?? '/-/');
const story = shelf.find((s) => decodeURI(address(s)) === at);
const target = document.getElementById('app')!;

if (story) await show(story);
else mount(Index, { target });

async function show(story: Shelved) {
  sessionStorage.setItem(kept, at);
  history.replaceState({}, '', story.path);
  pretend(story);
  // What asks or looks at the clock as it is loaded comes after that.
  const [{ session }, { place, start }, { default: App }, { live }] = await Promise.all([
    import('../api/session.svelte'), import('../route/router.svelte'), import('../frame/app.svelte'), import('../live/stream.svelte'), import('../design/theme.svelte'),
  ]);
  await session.load();
  await start();
  if (story.view) place.view = (await story.view()).default;
  mount(App, { target });
  await settled();
  if (story.live && story.live !== 'live') live.state = story.live;
  await story.act?.(target);
  await settled();
  document.documentElement.dataset.story = 'shown'; // for whoever waits to look
}

// Answers come at once, so a page is what it will be after a few turns.
async function settled() {
  for (let i = 0; i < 3; i++) {
    await tick();
    await new Promise((done) => setTimeout(done, 60));
  }
}
