package browser

import (
	"bytes"
	"fmt"
	"image/png"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
)

// Widths are those at which pages are looked at, in pixels: a phone, a tablet,
// a desk and a wall.
var Widths = []int64{360, 768, 1440, 2560}

// Size gives the page a size, in pixels; mobile as a phone has it, with a finger
// instead of a mouse.
func (p *Page) Size(width, height int64, mobile bool) error {
	if _, err := call(p, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1, Mobile: mobile}); err != nil {
		return err
	}
	_, err := call(p, emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: mobile})
	return err
}

// Scale gives the page a size in pixels of its own, each of which is so many of
// a picture wide and tall.
func (p *Page) Scale(width, height int64, scale float64) error {
	_, err := call(p, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: scale})
	return err
}

// Prefer makes the person prefer something, by media feature and value, such as
// prefers-color-scheme and dark; what is not named is as it comes.
func (p *Page) Prefer(features ...string) error {
	params := emulation.SetEmulatedMediaParams{}
	for i := 0; i+1 < len(features); i += 2 {
		params.Features = append(params.Features, &emulation.MediaFeature{Name: features[i], Value: features[i+1]})
	}
	_, err := call(p, emulation.SetEmulatedMedia, params)
	return err
}

// Painted waits until the page has been painted anew.
func (p *Page) Painted() error {
	_, err := Eval[bool](p, "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")
	return err
}

// Faults are what is wrong with the layout as it stands: the page is wider than
// the window, text of a button, a heading or a cell is cut off, or a short word
// is broken within, as in a column that was squeezed to a letter.
func (p *Page) Faults() ([]string, error) {
	return Eval[[]string](p, `(() => {
		const found = [];
		const root = document.documentElement;
		const over = root.scrollWidth - root.clientWidth;
		const name = e => e.tagName.toLowerCase() + (e.id ? '#' + e.id : '') + (typeof e.className === 'string' && e.className ? '.' + e.className.split(' ')[0] : '') + ' "' + e.textContent.trim().slice(0, 40) + '"';
		if (over > 0) {
			const wide = [...document.body.querySelectorAll('*')].filter(e => {
				const r = e.getBoundingClientRect();
				return r.width > 0 && r.right > root.clientWidth + 1 && !e.closest('[class*=unseen]');
			});
			found.push('the page is ' + over + ' px wider than the window: ' + wide.slice(-2).map(name).join('; '));
		}
		for (const e of document.querySelectorAll('button, h1, h2, h3, th, label, a.button')) {
			const r = e.getBoundingClientRect();
			if (r.width < 2 || getComputedStyle(e).visibility === 'hidden' || e.closest('[class*=unseen]')) continue;
			if (getComputedStyle(e).overflowX !== 'visible' && e.scrollWidth > e.clientWidth + 1) found.push('cut off: ' + name(e));
		}
		const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
		const range = document.createRange();
		for (let n = walk.nextNode(), left = 4000; n && left > 0; n = walk.nextNode(), left--) {
			if (!/\p{L}{2}/u.test(n.data) || !n.parentElement.checkVisibility() || n.parentElement.closest('[class*=unseen], code, pre, .mono, textarea, option')) continue;
			range.selectNodeContents(n);
			if (range.getClientRects().length < 2) continue;
			for (const word of n.data.matchAll(/(?<![^\s(])\p{L}{2,12}(?=[\s.,;:!?)]|$)/gu)) {
				range.setStart(n, word.index);
				range.setEnd(n, word.index + word[0].length);
				if (new Set([...range.getClientRects()].map(r => Math.round(r.top))).size < 2) continue;
				found.push('broken within: "' + word[0] + '" of ' + name(n.parentElement));
				break;
			}
		}
		return found;
	})()`)
}

// Restless are animations that never end, for somebody who wants less motion.
func (p *Page) Restless() ([]string, error) {
	return Eval[[]string](p, `document.getAnimations().filter(a => a.playState === 'running' && a.effect && a.effect.getTiming().iterations === Infinity)
		.map(a => (a.animationName || 'animation') + ' of ' + a.effect.target.tagName + '.' + a.effect.target.className)`)
}

// Shot is a picture of the window as PNG.
func (p *Page) Shot() ([]byte, error) {
	shot, err := call(p, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatPng})
	return shot.Data, err
}

// Thumbnail is a small picture of the window as PNG, for who only wants to know
// whether it shows anything: it takes a tenth of the time.
func (p *Page) Thumbnail() ([]byte, error) {
	size, err := Eval[[2]float64](p, "[innerWidth, innerHeight]")
	if err != nil {
		return nil, err
	}
	shot, err := call(p, page.CaptureScreenshot, page.CaptureScreenshotParams{
		Format: page.CaptureScreenshotFormatPng,
		Clip:   &page.Viewport{Width: size[0], Height: size[1], Scale: 0.25},
	})
	return shot.Data, err
}

// WebP is a picture of the window as WebP of a quality from 0 to 100.
func (p *Page) WebP(quality int64) ([]byte, error) {
	shot, err := call(p, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatWebp, Quality: &quality})
	return shot.Data, err
}

// Blank tells whether a picture shows next to nothing: hardly any pixel differs
// from the first; every second is looked at in each direction.
func Blank(shot []byte) (bool, error) {
	img, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		return false, fmt.Errorf("picture: %w", err)
	}
	b := img.Bounds()
	ground, other := img.At(b.Min.X, b.Min.Y), 0
	for y := b.Min.Y; y < b.Max.Y; y += 2 {
		for x := b.Min.X; x < b.Max.X; x += 2 {
			if img.At(x, y) != ground {
				other++
			}
		}
	}
	return other < b.Dx()*b.Dy()/4000, nil
}
