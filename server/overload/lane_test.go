package overload_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/candor-ota/candor/server/overload"
)

func TestALaneHasSoManyAtOnceAndInLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := overload.NewLane("votes", overload.Width{AtOnce: 2, Waiting: 3})
		var leaves []func()
		for range 2 {
			leave, err := l.Enter(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			leaves = append(leaves, leave)
		}
		entered := make(chan func(), 3)
		for range 3 {
			go func() {
				leave, err := l.Enter(t.Context())
				if err != nil {
					t.Error(err)
				}
				entered <- leave
			}()
		}
		synctest.Wait()
		times := map[time.Duration]bool{}
		for range 100 {
			_, err := l.Enter(t.Context())
			var busy *overload.BusyError
			if !errors.As(err, &busy) || busy.Retry < 2*time.Second || busy.Retry > 15*time.Second {
				t.Fatalf("one too many: %v", err)
			}
			times[busy.Retry] = true
		}
		if len(times) < 8 {
			t.Errorf("all come back at %d times", len(times))
		}
		if s := l.Stats(); s != (overload.LaneStats{Running: 2, Waiting: 3, Full: 100, Width: 2}) {
			t.Errorf("%+v", s)
		}
		for _, leave := range leaves {
			leave()
		}
		first, second := <-entered, <-entered
		first()
		second()
		(<-entered)()
		if s := l.Stats(); s.Running != 0 || s.Waiting != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestNobodyWaitsLongForATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := overload.NewLane("votes", overload.Width{AtOnce: 1, Waiting: 1})
		if _, err := l.Enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		var busy *overload.BusyError
		if _, err := l.Enter(t.Context()); !errors.As(err, &busy) || time.Since(start) != 2*time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := l.Enter(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v for who has gone", err)
		}
		if s := l.Stats(); s.Slow != 1 || s.Waiting != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestALaneIsNeverWiderThanItIs(t *testing.T) {
	const width = 4
	l := overload.NewLane("votes", overload.Width{AtOnce: width, Waiting: 100})
	var all sync.WaitGroup
	in := make(chan struct{}, width) // blocks nobody, unless there are more
	for range 100 {
		all.Go(func() {
			leave, err := l.Enter(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			select {
			case in <- struct{}{}:
			default:
				t.Error("one more than the lane is wide")
			}
			<-in
			leave()
		})
	}
	all.Wait()
}

// The defaults leave room for files, for polls beside streams, and for the
// 10,000 streams that one process is to hold where 20,000 files may be open.
func TestDefaultsFitTheOpenFiles(t *testing.T) {
	for _, files := range []int{256, 1024, 4096, 20_000, 1 << 20} {
		l := overload.Defaults(files)
		if used := l.Connections + l.Downloads.AtOnce; used > files || files-used < 64 {
			t.Errorf("%d files: %d are used", files, used)
		}
		if l.Streams >= l.Connections || l.Streams < 1 || l.StreamsPerAddress < 1 || l.ConnectionsPerAddress < 1 {
			t.Errorf("%d files: %+v", files, l)
		}
	}
	if l := overload.Defaults(20_000); l.Streams < 10_000 {
		t.Errorf("%d streams", l.Streams)
	}
	if n, err := overload.Files(); err != nil || n < 256 {
		t.Errorf("%d files, %v", n, err)
	}
}
