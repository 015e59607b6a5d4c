package browser

import (
	"context"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Patience is how long a page is waited for. It is long, because machines that
// test are busy; what happens is seen at once.
const Patience = 40 * time.Second

// EvilHosts are names that lead to this machine and belong to another site than
// whatever is tested.
const EvilHosts = "MAP evil.test 127.0.0.1, MAP *.evil.test 127.0.0.1"

// ownPages are features by which each window loads pages of the browser's own,
// two below its address bar: nobody sees them, and they cost as much as what is
// tested.
const ownPages = "WebUIOmniboxPopup,WebUIOmniboxAimPopup,WebUIOmniboxFullPopup,PreloadTopChromeWebUI"

// Chromium is a browser process. Close ends it.
type Chromium struct {
	ctx    context.Context
	cancel []context.CancelFunc
}

// Start starts Chromium without a window. It runs without its own sandbox,
// which needs privileges that test machines do not give; it shows nothing but
// what the tests serve.
func Start(ctx context.Context) (*Chromium, error) {
	options := append([]chromedp.ExecAllocatorOption{}, chromedp.DefaultExecAllocatorOptions[:]...)
	options = append(options,
		chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("host-resolver-rules", EvilHosts),
		chromedp.Flag("disable-features", "Translate,BlinkGenPropertyTrees,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable,"+ownPages),
		chromedp.Flag("disable-component-update", true),
		chromedp.WSURLReadTimeout(Patience),
	)
	c := &Chromium{}
	alloc, end := chromedp.NewExecAllocator(ctx, options...)
	c.cancel = append(c.cancel, end)
	c.ctx, end = chromedp.NewContext(alloc)
	c.cancel = append(c.cancel, end)
	if err := chromedp.Do(c.ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Close ends the process and whatever it keeps on disk.
func (c *Chromium) Close() {
	for i := len(c.cancel) - 1; i >= 0; i-- {
		c.cancel[i]()
	}
}

// Page is a tab.
type Page struct {
	*Problems
	ctx    context.Context
	cancel context.CancelFunc
}

// Fresh opens a tab of somebody who was never here.
func (c *Chromium) Fresh() (*Page, error) {
	return open(c.ctx, chromedp.WithNewBrowserContext())
}

// Beside opens another tab of the same person.
func (p *Page) Beside() (*Page, error) { return open(p.ctx) }

func open(parent context.Context, options ...chromedp.ContextOption) (*Page, error) {
	ctx, cancel := chromedp.NewContext(parent, options...)
	p := &Page{ctx: ctx, cancel: cancel, Problems: &Problems{requests: map[network.RequestID]string{}}}
	err := chromedp.Do(ctx)
	if err == nil {
		err = chromedp.Listen(ctx, p.note)
	}
	if err == nil {
		_, err = call(p, audits.Enable, cdp.Empty{})
	}
	if err == nil {
		_, err = call(p, network.Enable, network.EnableParams{})
	}
	if err == nil {
		_, err = call(p, page.Enable, page.EnableParams{})
	}
	if err != nil {
		cancel()
		return nil, err
	}
	return p, nil
}

// Empty forgets what the page has stored for its origin, so that the next one
// finds nothing of it.
func (p *Page) Empty() error {
	_, err := Eval[bool](p, "if (location.origin !== 'null') { sessionStorage.clear(); localStorage.clear(); }\ntrue")
	return err
}

// Close closes the tab, and those opened beside it.
func (p *Page) Close() { p.cancel() }

// oneCall bounds a call that a browser answers at once: while a page goes
// elsewhere it may never answer, and whoever waits for something asks again.
const oneCall = Patience / 4

func call[P, R any](p *Page, cmd cdp.Command[P, R], params P) (R, error) {
	ctx, cancel := context.WithTimeout(p.ctx, oneCall)
	defer cancel()
	return chromedp.Call(ctx, cmd, params)
}

func run[T any](p *Page, a chromedp.Action[T]) (T, error) {
	ctx, cancel := context.WithTimeout(p.ctx, Patience)
	defer cancel()
	return chromedp.Run(ctx, a)
}
