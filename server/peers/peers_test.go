package peers_test

import (
	"bytes"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests/vote"
	"github.com/candor-ota/candor/server/peers"
	"github.com/candor-ota/candor/server/store"
	"github.com/candor-ota/candor/server/store/sqlite"
	"github.com/candor-ota/candor/server/store/sqlite/sqlitetest"
)

type world struct {
	t      *testing.T
	ledger *sqlite.Ledger
	log    bytes.Buffer
}

func newWorld(t *testing.T) *world {
	t.Helper()
	l := sqlitetest.NewLedger(t, filepath.Join(t.TempDir(), "ledger.db"))
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return &world{t: t, ledger: l}
}

type settings struct {
	home   string
	alone  bool
	master vote.Master
	rules  string
	off    time.Duration // of the clock
}

func (w *world) join(s settings) (*peers.Member, error) {
	w.t.Helper()
	secret, err := peers.NewFact(s.master, "vote master", true, "the same")
	if err != nil {
		w.t.Fatal(err)
	}
	rules, err := peers.NewFact(vote.Master{1}, "votes", false, s.rules)
	if err != nil {
		w.t.Fatal(err)
	}
	return peers.Join(w.t.Context(), peers.Options{
		Roll: w.ledger, Home: s.home, Alone: s.alone, Facts: []peers.Fact{secret, rules},
		Now: func() time.Time { return time.Now().Add(s.off) }, Log: slog.New(slog.NewTextHandler(&w.log, nil)),
	})
}

func TestServersWithOtherSecretsDoNotStart(t *testing.T) {
	w := newWorld(t)
	if _, err := w.join(settings{home: "a", master: vote.Master{1}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.join(settings{home: "b", master: vote.Master{1}}); err != nil {
		t.Errorf("alike: %v", err)
	}
	_, err := w.join(settings{home: "c", master: vote.Master{2}})
	if !errors.Is(err, peers.ErrDiffers) || !strings.Contains(err.Error(), "another vote master") {
		t.Errorf("got %v", err)
	}
	if _, err := w.join(settings{home: "d", master: vote.Master{1}}); err != nil {
		t.Errorf("the one that was refused stayed on the roll: %v", err)
	}
}

func TestServersWithOtherRulesAreSaidByName(t *testing.T) {
	w := newWorld(t)
	a, err := w.join(settings{home: "a", rules: "48h"})
	if err != nil {
		t.Fatal(err)
	}
	b, err := w.join(settings{home: "b", rules: "0s"})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a.Stats().Differs != 1 || b.Stats().Differs != 1 || a.Stats().Others != 1 || strings.Count(w.log.String(), "differs=votes") != 2 {
		t.Errorf("%+v %+v\n%s", a.Stats(), b.Stats(), w.log.String())
	}
	if err := b.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := a.Look(t.Context()); err != nil || a.Stats() != (peers.Stats{Skew: a.Stats().Skew}) {
		t.Errorf("%+v, %v", a.Stats(), err)
	}
}

func TestServerThatMustBeAloneIsAlone(t *testing.T) {
	w := newWorld(t)
	if _, err := w.join(settings{home: "a", alone: true}); err != nil {
		t.Fatal(err)
	}
	for _, alone := range []bool{true, false} {
		if _, err := w.join(settings{home: "b", alone: alone}); !errors.Is(err, peers.ErrDiffers) {
			t.Errorf("got %v", err)
		}
	}
	if _, err := w.join(settings{home: "a", alone: true}); err != nil {
		t.Errorf("the same folder, whose lock the first one has lost: %v", err)
	}
}

func TestServerWithAWrongClockTakesNoLease(t *testing.T) {
	for off, fine := range map[time.Duration]bool{0: true, 1500 * time.Millisecond: true, -3 * time.Second: false, 3 * time.Second: false} {
		w := newWorld(t)
		m, err := w.join(settings{home: "a", off: off})
		if err != nil {
			t.Fatal(err)
		}
		_, err = m.Ledger(w.ledger).Acquire(t.Context(), store.LeaseRequest{Name: "x", Holder: "me", Now: time.Now(), For: time.Minute})
		if fine != (err == nil) || !fine && (!errors.Is(err, peers.ErrTrouble) || errors.Is(err, store.ErrConflict)) || fine != (m.Trouble() == "") {
			t.Errorf("off by %s: %v, %q", off, err, m.Trouble())
		}
		if warned := strings.Contains(w.log.String(), "clock differs"); warned != (off != 0) {
			t.Errorf("off by %s: warned %t", off, warned)
		}
	}
}
