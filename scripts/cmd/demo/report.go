package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// summary is the demo's JSON object.
type summary struct {
	Handsets            int           `json:"handsets"`
	Installed           int           `json:"installed"` // downloaded, wrote and booted the new build, whether it proved itself or not
	OnNewBuild          int           `json:"onNewBuild"`
	RolledBack          int           `json:"rolledBack"`
	OptedIn             int           `json:"optedIn"`      // owners who let outcomes be reported
	VotesCounted        int           `json:"votesCounted"` // of class outcome
	VotesExpected       int           `json:"votesExpected"`
	VotesRefused        int           `json:"votesRefused"`
	NumbersLeakedBefore int           `json:"numbersLeakedBefore"`
	NumbersLeakedAfter  int           `json:"numbersLeakedAfter"`
	NumbersSealed       int           `json:"numbersSealed"` // sent sealed, by owners who opted in to messaging
	Stages              []stageResult `json:"stages"`
	Halted              bool          `json:"halted"`
	Halt                *haltResult   `json:"halt,omitempty"`
	BytesDownloaded     int64         `json:"bytesDownloaded"`
	BytesPerHandset     int64         `json:"bytesPerHandset"` // of those that installed
	FullBytes           int64         `json:"fullBytes"`       // that each would download without patches and chunks
	ImageBytes          int64         `json:"imageBytes"`
	Seconds             float64       `json:"seconds"`
}

// haltResult is how the engine halted the rollout.
type haltResult struct {
	Reason string  `json:"reason"`
	Share  float64 `json:"shareInstalled"` // of the fleet, 0 to 1, when it was halted
	Bound  string  `json:"bound"`          // after when nobody can install it any more
}

func (d *demo) summary(ctx context.Context, took time.Duration) (*summary, error) {
	s := &summary{
		Handsets: len(d.fleet), Installed: d.count(tried), OnNewBuild: d.count(onNewBuild), RolledBack: d.count(rolledBack),
		OptedIn: d.count(reports), VotesExpected: d.count(func(p *phone) bool { return p.reports && tried(p) }),
		Stages: d.stages, ImageBytes: d.size, Seconds: took.Seconds(),
	}
	for _, p := range d.fleet {
		s.BytesDownloaded += p.downloaded
	}
	if s.Installed > 0 {
		s.BytesPerHandset = s.BytesDownloaded / int64(s.Installed)
	}
	release, err := d.Published(ctx, product, newBuild)
	if err != nil {
		return nil, err
	}
	for _, m := range release.Images {
		s.FullBytes += m.Index.Size + m.Pack.Size
	}
	c := d.cloud.Counts()
	s.NumbersLeakedBefore, s.NumbersLeakedAfter, s.NumbersSealed = c.LeakedBefore, c.LeakedAfter, c.Sealed
	s.Halted, s.Halt = d.halt != nil, d.halt
	return s, d.countVotes(ctx, s)
}

// countVotes waits a little for the last reports, which go out after a random
// delay, and then takes the server's word.
func (d *demo) countVotes(ctx context.Context, s *summary) error {
	for range 10 {
		counts, err := d.Counts(ctx, product, newBuild)
		if err != nil {
			return err
		}
		if s.VotesCounted, s.VotesRefused = counts.Trials, counts.Refused; counts.Trials >= s.VotesExpected {
			return nil
		}
		if err := d.each(ctx, d.turn); err != nil {
			return err
		}
	}
	return nil
}

// judge fails the demo when what it shows is not what Candor promises.
func (d *demo) judge(s *summary) error {
	var errs []error
	say := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if s.NumbersLeakedAfter != 0 {
		say("%d numbers leaked after the fix", s.NumbersLeakedAfter)
	}
	if s.Installed > 0 && s.BytesPerHandset >= s.FullBytes {
		say("each handset downloaded %d bytes; the full image is %d", s.BytesPerHandset, s.FullBytes)
	}
	if s.NumbersLeakedBefore == 0 {
		say("nothing leaked before the fix, so the demo shows nothing")
	}
	if !d.bad && s.OnNewBuild != s.Handsets && (!d.keep || !s.Halted) { // whoever looks on may halt it
		say("%d of %d handsets are on the new build", s.OnNewBuild, s.Handsets)
	}
	if s.VotesCounted != s.VotesExpected {
		say("%d votes counted, %d expected from those who opted in", s.VotesCounted, s.VotesExpected)
	}
	if d.bad && (!s.Halted || s.RolledBack == 0) {
		say("the bad build was not noticed and halted")
	}
	return errors.Join(errs...)
}

// voice is how the demo speaks: to people with a live table, to programs with
// one object at the end.
type voice struct {
	mu    sync.Mutex
	json  bool
	live  bool
	begun time.Time
	last  time.Time
}

func newVoice(json bool) *voice {
	return &voice{json: json, live: !json && term.IsTerminal(int(os.Stdout.Fd())), begun: time.Now()}
}

func (v *voice) lock(do func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	do()
}

func (v *voice) out() *os.File {
	if v.json {
		return os.Stderr
	}
	return os.Stdout
}

func (v *voice) line(format string, args ...any) {
	v.lock(func() { fmt.Fprintf(v.out(), format+"\n", args...) })
}

func (v *voice) step(what string) {
	if v.live {
		fmt.Print("\r\033[K")
	}
	v.line("%6.1f s  %s", time.Since(v.begun).Seconds(), what)
}

// table draws one line for the fleet: a cell a phone.
func (v *voice) table(d *demo) {
	if !v.live {
		return
	}
	v.lock(func() {
		if time.Since(v.last) < 100*time.Millisecond {
			return
		}
		v.last = time.Now()
		done, back, bar := 0, 0, ""
		for _, p := range d.fleet {
			switch {
			case onNewBuild(p):
				done++
				bar += "█"
			case p.rolledBack:
				back++
				bar += "↩"
			default:
				bar += "·"
			}
		}
		if len(d.fleet) > 60 {
			n := done * 60 / len(d.fleet)
			bar = strings.Repeat("█", n) + strings.Repeat("·", 60-n)
		}
		fmt.Printf("\r\033[K          [%s] %d/%d on build %d, %d went back", bar, done, len(d.fleet), newBuild, back)
	})
}

func (v *voice) result(s *summary) error {
	if v.json {
		return json.NewEncoder(os.Stdout).Encode(s)
	}
	fmt.Printf("\n%-34s %d\n%-34s %d\n%-34s %d\n", "handsets", s.Handsets, "on the new build", s.OnNewBuild, "went back to their old slot", s.RolledBack)
	fmt.Printf("%-34s %d of %d owners who opted in and tried it\n", "outcomes counted", s.VotesCounted, s.VotesExpected)
	fmt.Printf("%-34s %d before the fix, %d after; %d sent sealed by owners who asked for it\n", "contacts' numbers leaked", s.NumbersLeakedBefore, s.NumbersLeakedAfter, s.NumbersSealed)
	if h := s.Halt; h != nil {
		fmt.Printf("%-34s %s\n%-34s %.0f %% of the handsets had installed it\n%-34s %s\n", "halted", h.Reason, "when it was halted", 100*h.Share, "halt bound", h.Bound)
	}
	for _, st := range s.Stages {
		words := ""
		if st.Halted {
			words = ", halted"
		}
		fmt.Printf("%-34s %d handsets on the new build%s\n", fmt.Sprintf("stage open to %g %%", 100*st.Share), st.Handsets, words)
	}
	if s.Installed > 0 {
		fmt.Printf("%-34s %.2f MB each; the full image is %.1f MB (%.1f MB unpacked)\n", "downloaded",
			float64(s.BytesPerHandset)/1e6, float64(s.FullBytes)/1e6, float64(s.ImageBytes)/1e6)
	}
	_, err := fmt.Printf("%-34s %.0f s\n", "took", s.Seconds)
	return err
}
