// Light or dark: as the system has it, until somebody chooses; then as chosen,
// in all tabs of this browser.
export type Choice = 'system' | 'light' | 'dark';

const key = 'candor-theme';
const dark = matchMedia('(prefers-color-scheme: dark)');

function stored(): Choice {
  try {
    const v = localStorage.getItem(key);
    return v === 'light' || v === 'dark' ? v : 'system';
  } catch {
    return 'system'; // the browser keeps nothing
  }
}

class Theme {
  choice: Choice = $state(stored());
  #system = $state(dark.matches);
  /** What is shown. */
  shown: 'light' | 'dark' = $derived(this.choice === 'system' ? (this.#system ? 'dark' : 'light') : this.choice);

  constructor() {
    this.#apply();
    dark.addEventListener('change', () => (this.#system = dark.matches));
    addEventListener('storage', (e) => {
      if (e.key !== key) return;
      this.choice = stored();
      this.#apply();
    });
  }

  choose(choice: Choice) {
    this.choice = choice;
    this.#apply();
    try {
      if (choice === 'system') localStorage.removeItem(key);
      else localStorage.setItem(key, choice);
    } catch {
      // It is as chosen until the page is left.
    }
  }

  #apply() {
    if (this.choice === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = this.choice;
  }
}

export const theme = new Theme();
