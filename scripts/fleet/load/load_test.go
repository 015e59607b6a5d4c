package load

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/candor-ota/candor/client/outbox"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/scripts/figure"
)

// Arrivals keep to their schedule whatever the service does: one that stalls
// meets, when it is back, all that came meanwhile, each with the moment at which
// it was due.
func TestArrivalsWaitForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate, length = 100, 100 * time.Second
		start := time.Now()
		var dues []time.Duration
		err := arrivals(t.Context(), rate, start, length, rand.New(rand.NewPCG(1, 1)), func(due time.Time) {
			dues = append(dues, due.Sub(start))
			if len(dues) == 1000 {
				<-time.After(10 * time.Second) // this program is stalled itself
				return
			}
			if late := time.Since(due); late > 0 && (due.Sub(start) > 25*time.Second || len(dues) < 1000) {
				t.Errorf("arrival %d begins %s late", len(dues), late)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if n, want := float64(len(dues)), rate*length.Seconds(); math.Abs(n-want) > 4*math.Sqrt(want) {
			t.Errorf("%g arrivals, want about %g", n, want)
		}
		var squares float64
		for i := 1; i < len(dues); i++ {
			gap := (dues[i] - dues[i-1]).Seconds()
			squares += (gap*rate - 1) * (gap*rate - 1)
		}
		// The standard deviation of exponential gaps is their mean.
		if spread := math.Sqrt(squares / float64(len(dues))); spread < 0.95 || spread > 1.05 {
			t.Errorf("the gaps spread %g of their mean", spread)
		}
	})
}

func TestArrivalsEndWithTheirContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := arrivals(ctx, 1e4, time.Now(), time.Hour, rand.New(rand.NewPCG(1, 1)), func(time.Time) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func valueOf(t *testing.T, rows []figure.Row, measure string) figure.Row {
	t.Helper()
	for _, r := range rows {
		if r.Measure == measure {
			return r
		}
	}
	t.Fatalf("no figure %q in %v", measure, rows)
	return figure.Row{}
}

// What was acknowledged and not counted is lost, whatever was counted elsewhere.
func TestLostAndInventedVotesAreSeen(t *testing.T) {
	before := counted{42: {vote.Attempt: 5, vote.Trial: 5}, 43: {}}
	for name, c := range map[string]struct {
		after                counted
		acknowledged, unsure map[cell]int64
		lost, invented       float64
	}{
		"even":                    {counted{42: {vote.Attempt: 15, vote.Trial: 12}}, map[cell]int64{{42, vote.Attempt}: 10, {42, vote.Trial}: 7}, nil, 0, 0},
		"one is lost":             {counted{42: {vote.Attempt: 14, vote.Trial: 12}}, map[cell]int64{{42, vote.Attempt}: 10, {42, vote.Trial}: 7}, nil, 1, 0},
		"one counts for another":  {counted{42: {vote.Attempt: 14}, 43: {vote.Attempt: 1}}, map[cell]int64{{42, vote.Attempt}: 10}, nil, 1, 1},
		"one is counted twice":    {counted{42: {vote.Attempt: 16}}, map[cell]int64{{42, vote.Attempt}: 10}, nil, 0, 1},
		"an answer was lost":      {counted{42: {vote.Attempt: 16}}, map[cell]int64{{42, vote.Attempt}: 10}, map[cell]int64{{42, vote.Attempt}: 2}, 0, 0},
		"more than answers' lost": {counted{42: {vote.Attempt: 18}}, map[cell]int64{{42, vote.Attempt}: 10}, map[cell]int64{{42, vote.Attempt}: 2}, 0, 1},
	} {
		if c.after[42][vote.Trial] == 0 {
			c.after[42][vote.Trial] = 5
		}
		rows, held := (&tally{acknowledged: c.acknowledged, unsure: c.unsure}).rows(before, c.after)
		lost, invented := valueOf(t, rows, "conservation: acknowledged and not counted"), valueOf(t, rows, "conservation: counted and never sent")
		if lost.Value != c.lost || invented.Value != c.invented || held != (c.lost+c.invented == 0) || *lost.Met != (c.lost == 0) {
			t.Errorf("%s: %v, %v", name, rows, held)
		}
	}
}

func TestErrorsHaveFewNames(t *testing.T) {
	m := newMeter()
	for _, err := range []error{
		fmt.Errorf("POST: %w", &outbox.Problem{Status: 503, Code: "busy", Detail: "one"}), &outbox.Problem{Status: 503, Code: "busy", Detail: "another"},
		statusError(500), fmt.Errorf("file: %w", errBytes), errors.New(strings.Repeat("x", 500) + "\nmore"),
	} {
		m.done(Vote, time.Second, err)
	}
	m.done(Vote, time.Hour, nil) // longer than any
	rows := m.rows(2*time.Second, 250*time.Millisecond)
	if r := valueOf(t, rows, "errors, vote: 503 busy"); r.Value != 2 || *r.Met {
		t.Errorf("%+v", r)
	}
	if r := valueOf(t, rows, "vote: p99"); *r.Met || r.Value < 119_000 {
		t.Errorf("%+v", r)
	}
	valueOf(t, rows, "errors, vote: status 500")
	valueOf(t, rows, "errors, vote: "+errBytes.Error())
	if r := valueOf(t, rows, "vote: rate"); r.Value != 0.5 {
		t.Errorf("%+v", r)
	}
}

// A service that gives other bytes than those that were verified is found out,
// and whatever it answers does not stop the run.
func TestFilesOfAWalkAreHeldAgainstTheVerifiedOnes(t *testing.T) {
	status := http.StatusOK
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, "body")
	}))
	defer s.Close()
	right := want{sum: manifests.SumSHA256([]byte("body"))}
	if err := right.check(t.Context(), http.DefaultClient, s.URL); err != nil {
		t.Error(err)
	}
	for _, wrong := range []want{{sum: manifests.SumSHA256([]byte("other"))}, {missing: true}} {
		if err := wrong.check(t.Context(), http.DefaultClient, s.URL); !errors.Is(err, errBytes) {
			t.Errorf("%+v: %v", wrong, err)
		}
	}
	status = http.StatusNotFound
	if err := (want{missing: true}).check(t.Context(), http.DefaultClient, s.URL); err != nil {
		t.Error(err)
	}
	if err := right.check(t.Context(), http.DefaultClient, s.URL); kindOf(err) != "status 404" {
		t.Error(err)
	}
}
