package browser_test

import (
	"fmt"
	"net/http"
	"syscall"
	"testing"

	"github.com/chromedp/cdproto/page"

	"github.com/candor-ota/candor/scripts/browser"
)

// broken is what a browser says of requests that a test breaks.
var broken = []string{`^request: `, `ERR_`, `Failed to fetch`}

// A page that was live is live again, and right, after the server was started
// anew, the network was cut, the stream alone was cut, and the machine slept;
// while it is not, it says so and since when.
func TestWhatIsShownIsLiveOrSaysSinceWhenItIsNot(t *testing.T) {
	t.Parallel()
	s := start(t)
	id := s.running("live")
	p := s.as("olga", "/rollouts/"+id, broken...)
	s.says(p, "Rolling out ·")
	s.live(p)
	must(t, mark(p))

	must(t, s.StopServer(syscall.SIGTERM))
	s.says(p, `(Reconnecting|Stale)\s+since`)
	must(t, s.StartServer(t.Context()))
	s.live(p)
	s.note(id, "after the restart")
	s.says(p, "after the restart")

	s.front.breaks(everything)
	s.says(p, `(Reconnecting|Stale)\s+since`)
	s.note(id, "during the cut")
	_, err := s.Change(t.Context(), id, "pause", "the network is away")
	must(t, err)
	s.front.breaks(nil)
	s.live(p)
	s.says(p, "during the cut")
	s.says(p, "Paused")

	s.front.breaks(isStream)
	s.says(p, `(Reconnecting|Stale)\s+since`)
	s.note(id, "without a stream")
	s.says(p, "without a stream") // it asks by itself meanwhile
	s.front.breaks(nil)
	s.live(p)

	s.asleep(p, id)

	must(t, lifecycle(p, page.SetWebLifecycleStateStateFrozen))
	s.note(id, "in its sleep")
	s.front.breaks(everything)
	s.front.breaks(nil)
	must(t, lifecycle(p, page.SetWebLifecycleStateStateActive))
	s.says(p, "in its sleep")
	s.live(p)
	if same, err := browser.Eval[bool](p, "window.same === true"); err != nil || !same {
		t.Errorf("the page was loaded anew: %v", err)
	}
}

// asleep has the clock of a page jump, as after sleep: the old stream may have
// said nothing for long, so the page says since when what it shows may be old,
// begins anew, and has what happened meanwhile.
func (s *site) asleep(p *browser.Page, id string) {
	s.t.Helper()
	s.front.hangs(isStream) // the stream that is there goes on; a new one gets no answer yet
	_, err := browser.Eval[bool](p, `(() => {
		const before = Date, jump = 3600_000;
		window.Date = class extends before {
			constructor(...at) { super(...(at.length > 0 ? at : [before.now() + jump])); }
			static now() { return before.now() + jump; }
		};
		return true;
	})()`)
	must(s.t, err)
	s.says(p, `(Reconnecting|Stale)\s+since`)
	must(s.t, browser.Until(s.t.Context(), "a new stream", func() (bool, error) { return s.front.open("/v1/live") == 1, nil }))
	s.note(id, "after a jump of the clock")
	s.front.hangs(nil)
	s.live(p)
	s.says(p, "after a jump of the clock")
}

// What a page needs of itself cannot be loaded while the network is away: it
// says so and stays, with all that it still has to send.
func TestAPageThatCannotBeLoadedTakesNothingAway(t *testing.T) {
	t.Parallel()
	s := start(t)
	id := s.running("away")
	p := s.as("olga", "/rollouts/"+id, broken...)
	must(t, p.Size(1440, 900, false))
	s.says(p, "Rolling out ·")
	must(t, mark(p))
	s.front.breaks(everything)
	s.click(p, "button", "^HALT")
	s.says(p, "Halting")
	s.click(p, "link", "^System")
	s.says(p, "This page could not be loaded")
	if same, err := browser.Eval[bool](p, "window.same === true"); err != nil || !same {
		t.Errorf("the app was given up: %v", err)
	}
	s.front.breaks(nil)
	s.says(p, "is halted")
	s.halted(id)
	s.click(p, "button", "^Try again$")
	_, err := p.Find("heading", "^System")
	must(t, err)
}

func lifecycle(p *browser.Page, state page.SetWebLifecycleStateState) error {
	_, err := browser.Send(p, page.SetWebLifecycleState, page.SetWebLifecycleStateParams{State: state})
	return err
}

// live waits until a page says that it is.
func (s *site) live(p *browser.Page) {
	s.t.Helper()
	s.says(p, `\bLive\b`)
}

// note writes into the timeline of a rollout, which pages hear of.
func (s *site) note(id, text string) {
	s.t.Helper()
	must(s.t, s.Call(s.t.Context(), http.MethodPost, "/v1/rollouts/"+id+"/note", map[string]string{"reason": text}, nil))
}

// Two tabs hear of everything by one stream, also when the tab that held it is
// closed.
func TestTabsShareOneStream(t *testing.T) {
	t.Parallel()
	s := start(t)
	id := s.running("tabs")
	first := s.as("olga", "/rollouts/"+id)
	s.live(first)
	second, err := first.Beside()
	must(t, err)
	must(t, second.Open(s.front.url+"/rollouts/"+id))
	third := s.beside(first)
	must(t, third.Open(s.front.url+"/rollouts/"+id))
	for _, p := range []*browser.Page{second, third} {
		s.live(p)
	}
	if n := s.front.open("/v1/live"); n != 1 {
		t.Errorf("three tabs hold %d streams", n)
	}
	s.note(id, "to all of them")
	for _, p := range []*browser.Page{first, second, third} {
		s.says(p, "to all of them")
	}
	second.Close()
	// Whichever held the stream goes last but one: a tab that shows something else holds none.
	must(t, first.Open("about:blank"))
	s.note(id, "to the last of them")
	s.says(third, "to the last of them")
	s.live(third)
	if n := s.front.open("/v1/live"); n != 1 {
		t.Errorf("the last tab holds %d streams", n)
	}
}

// However much changes, a page is painted anew at most twice a second.
func TestABurstOfChangesRepaintsAtMostTwiceASecond(t *testing.T) {
	s := start(t)
	id := s.running("burst")
	p := s.as("olga", "/rollouts/"+id)
	s.live(p)
	_, err := browser.Eval[bool](p, `(() => {
		window.paints = [];
		new MutationObserver(list => {
			// Clocks and countdowns go on by themselves.
			if (list.every(m => (m.target.nodeType === 1 ? m.target : m.target.parentElement)?.closest('time, [role=timer], .clock'))) return;
			const now = performance.now(), last = window.paints.at(-1);
			if (!last || now - last.at > 60) window.paints.push({at: now, what: ''}); // one painting may come in pieces
			window.paints.at(-1).what += list.slice(0, 4).map(m => {
				const e = m.target.nodeType === 1 ? m.target : m.target.parentElement;
				return ' ' + e?.tagName + '.' + e?.className + '/' + e?.parentElement?.tagName;
			});
		}).observe(document.querySelector('main'), {subtree: true, childList: true, characterData: true, attributes: true});
		return true;
	})()`)
	must(t, err)
	const changes = 200
	for i := range changes / 2 {
		s.note(id, fmt.Sprintf("change %d", i))
		s.report(101, 1, healthy)
	}
	s.says(p, fmt.Sprintf("change %d\\b", changes/2-1))
	paints, err := browser.Eval[[]painting](p, "window.paints")
	must(t, err)
	if len(paints) < 2 {
		t.Fatalf("%d changes were painted %d times", changes, len(paints))
	}
	most := 0
	for i := range paints {
		n := 0
		for _, at := range paints[i:] {
			if at.At < paints[i].At+3000 {
				n++
			}
		}
		most = max(most, n)
	}
	t.Logf("%d changes, painted %d times in %.1f s, at most %d times in 3 s", changes, len(paints), (paints[len(paints)-1].At-paints[0].At)/1000, most)
	if most > 7 { // six, and one that the window catches at its edge
		t.Errorf("painted %d times within 3 s: %+v", most, paints)
	}
}

// painting is a change of the page: when, in ms, and of which elements.
type painting struct {
	At   float64
	What string
}
