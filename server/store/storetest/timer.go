package storetest

import (
	"maps"
	"time"

	"github.com/candor-ota/candor/server/store/s3"
)

// timer is one of whoever waits for answers of a Faulty.
type timer struct {
	of *Faulty
	do func()
}

func (f *Faulty) afterFunc(_ time.Duration, do func()) s3.Timer {
	t := &timer{of: f, do: do}
	t.Reset(0)
	return t
}

// Stop has it wait no more, and tells whether it did.
func (t *timer) Stop() bool {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	waited := t.of.waits[t]
	delete(t.of.waits, t)
	return waited
}

// Reset has it wait again, and tells whether it did.
func (t *timer) Reset(time.Duration) bool {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	waited := t.of.waits[t]
	t.of.waits[t] = true
	return waited
}

// pass ends the time of all who wait.
func (f *Faulty) pass() {
	f.mu.Lock()
	over := maps.Clone(f.waits)
	clear(f.waits)
	f.mu.Unlock()
	for t := range over {
		t.do()
	}
}
