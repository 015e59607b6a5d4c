package powertest

import (
	"flag"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

var (
	states = flag.Int64("states", 1000, "how many states are visited, at least")
	seed   = flag.Uint64("seed", 1, "from which chance comes")
	state  = flag.String("state", "", "visit this state alone")
)

// Done when (power): whenever the power is cut, whatever becomes of what was not
// synced, some slot boots, what boots is whole, and the update ends well.
func TestPowerCutAtAnyMomentLeavesAHandsetThatBoots(t *testing.T) {
	if *state != "" {
		n, err := replay(stories(), *state)
		if err != nil {
			t.Fatal(err)
		}
		if err := newHandset(n.story, n.disk, n.outside).live(true); err != nil {
			t.Fatal(err)
		}
		return
	}
	debug.SetGCPercent(800)
	debug.SetMemoryLimit(4 << 30)
	began, x := time.Now(), newExplorer(*seed, *states)
	if err := x.explore(stories(), *states, runtime.GOMAXPROCS(0)); err != nil {
		t.Fatalf("seed %d: %v\nrun it alone with -state", *seed, err)
	}
	t.Logf("%d states, behind %s; %d stories of %d operations, %d outcomes, in %s; 0 broken promises",
		x.visited(), x.byCuts(), len(stories()), x.cuts.Load(), x.tried.Load(), time.Since(began).Round(100*time.Millisecond))
}
