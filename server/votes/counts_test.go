package votes_test

import (
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/votes"
)

func TestSilenceIsCounted(t *testing.T) {
	w := newWorld(t)
	for range 5 {
		w.says(t, vote.Attempt, begun)
	}
	for range 2 {
		w.says(t, vote.Trial, healthy)
	}
	if c := w.counts(t); c.Silent != 0 || c.Attempts != 5 {
		t.Errorf("within the grace time: %+v", c)
	}
	w.pass(24 * time.Hour)
	if c := w.counts(t); c.Silent != 0 {
		t.Errorf("%d are silent in an hour that is not over", c.Silent)
	}
	w.pass(time.Hour)
	if c := w.counts(t); c.Silent != 3 {
		t.Errorf("%d are silent; want 3", c.Silent)
	}
	for range 4 { // new attempts and their trials do not make it more
		w.says(t, vote.Attempt, begun)
	}
	if c := w.counts(t); c.Silent != 3 {
		t.Errorf("%d are silent; want 3", c.Silent)
	}
	w.says(t, vote.Trial, rolled)
	if c := w.counts(t); c.Silent != 2 || c.Failures != 1 || c.Reasons[vote.Trial][vote.BootLoop] != 1 {
		t.Errorf("after one came back: %+v", c)
	}
}

func TestFewVotesShowOnlyTotals(t *testing.T) {
	w := newWorld(t)
	w.pass(24 * time.Hour)
	for range votes.SmallCell - 1 {
		w.says(t, vote.Trial, rolled)
	}
	other := healthy
	other.FromClass = vote.FromOlder
	w.says(t, vote.Trial, other)
	shown, err := w.Shown(t.Context(), ref)
	must(t, err)
	if shown.Trials != votes.SmallCell || shown.Failures != votes.SmallCell-1 || !shown.Masked {
		t.Errorf("totals are %+v", shown)
	}
	if len(shown.Reasons[vote.Trial]) != 0 || len(shown.From) != 0 {
		t.Errorf("shown are %v and %v", shown.Reasons, shown.From)
	}
	exact := w.counts(t)
	if exact.Masked || exact.Reasons[vote.Trial][vote.BootLoop] != votes.SmallCell-1 {
		t.Errorf("the engine sees %+v", exact)
	}

	w.says(t, vote.Trial, rolled)
	shown, err = w.Shown(t.Context(), ref)
	must(t, err)
	if shown.Trials != votes.SmallCell {
		t.Error("a vote could be watched as it landed")
	}
	w.pass(time.Hour)
	shown, err = w.Shown(t.Context(), ref)
	must(t, err)
	if shown.Trials != votes.SmallCell+1 || shown.Reasons[vote.Trial][vote.BootLoop] != votes.SmallCell {
		t.Errorf("an hour later: %+v", shown)
	}
	// One small part beside a large one: the large one would give it away.
	if len(shown.From) != 0 {
		t.Errorf("origins are shown: %v", shown.From)
	}
}

// TestAllServersShowTheSame: who asks several servers, or one that was started
// anew, sees no more moments than who asks one. The clocks of servers differ.
func TestAllServersShowTheSame(t *testing.T) {
	w := newWorld(t)
	another := func(ahead time.Duration) *votes.Service {
		c := w.Config
		c.Now = func() time.Time { return w.clock().Add(ahead) }
		s, err := votes.New(c)
		must(t, err)
		return s
	}
	look := func(s *votes.Service) votes.Counts {
		t.Helper()
		c, err := s.Shown(t.Context(), ref)
		must(t, err)
		return c
	}
	second := another(0)
	w.says(t, vote.Attempt, begun)
	w.says(t, vote.Trial, rolled)
	if c := look(w.Service); c.Trials != 1 {
		t.Fatalf("shown is %+v", c)
	}
	for range 30 {
		w.says(t, vote.Trial, rolled)
	}
	for name, s := range map[string]*votes.Service{"another server": second, "one that was started anew": another(0), "one whose clock is behind": another(-2 * time.Second)} {
		if c := look(s); c.Trials != 1 || c.Attempts != 1 {
			t.Errorf("%s shows a moment of its own: %+v", name, c)
		}
	}
	w.pass(25*time.Hour + 59*time.Minute + 59*time.Second)
	ahead := another(time.Second)
	first := look(ahead)
	if first.Trials != 31 || first.Reasons[vote.Trial][vote.BootLoop] != 31 {
		t.Errorf("in the next hour %+v is shown", first)
	}
	w.says(t, vote.Trial, rolled)
	w.pass(time.Second)
	for _, s := range []*votes.Service{w.Service, second, another(0)} {
		c := look(s)
		if c.Trials != 31 || !c.At.Equal(first.At) || c.Due != first.Due || c.Evidence(time.Hour).Due != first.Evidence(time.Hour).Due {
			t.Errorf("%+v is shown beside %+v", c, first)
		}
	}
	must(t, w.CloseRelease(t.Context(), ref, w.entry("votes.close")))
	if c := look(another(0)); c.Trials != 31 || c.Due != 0 || c.Evidence(time.Hour).Due != 0 {
		t.Errorf("after the votes closed %+v is shown", c)
	}
}

func TestRefusalsAreCountedApart(t *testing.T) {
	w := newWorld(t)
	w.says(t, vote.Refusal, vote.Vote{V: 1, Outcome: vote.Declined, Reason: vote.None, FromClass: vote.FromSecond, Attempts: vote.AttemptsOne, Duration: vote.OverDay})
	w.says(t, vote.Refusal, vote.Vote{V: 1, Outcome: vote.InstallFailed, Reason: vote.Space, FromClass: vote.FromSecond, Attempts: vote.AttemptsOne, Duration: vote.OverDay})
	w.says(t, vote.Regression, vote.Vote{V: 1, Reason: vote.HealthCheck, FromClass: vote.FromPrevious, Attempts: vote.AttemptsOne, Duration: vote.OverDay})
	c := w.counts(t)
	if c.Declined != 1 || c.NotTried != 1 || c.Regressions != 1 || c.Failures != 1 || c.Trials != 0 {
		t.Errorf("counted %+v", c)
	}
	if c.Reasons[vote.Refusal][vote.Space] != 1 || c.Reasons[vote.Regression][vote.HealthCheck] != 1 {
		t.Errorf("reasons are %v", c.Reasons)
	}
}
