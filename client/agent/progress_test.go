package agent

import (
	"testing"
	"time"
)

func TestRateIsSmoothedAndTheRemainingTimeFollows(t *testing.T) {
	var m meter
	p := Progress{BytesTotal: 100 << 20}
	fill := func(done int64, at time.Duration) Progress {
		m.add(done, at)
		q := p
		q.BytesDone = done
		m.fill(&q)
		return q
	}
	if q := fill(20<<20, time.Second); q.BytesPerSecond != 0 || q.ETASeconds != nil {
		t.Fatalf("a rate of one point: %+v", q) // what was there before counts for nothing
	}
	at, done := time.Second, int64(20<<20)
	var q Progress
	for range 20 {
		at, done = at+time.Second, done+1<<20
		q = fill(done, at)
	}
	if q.BytesPerSecond != 1<<20 || q.ETASeconds == nil || *q.ETASeconds != 60 {
		t.Fatalf("steady: %+v", q)
	}
	q = fill(done+10<<20, at+time.Second) // a burst moves it by a part
	if q.BytesPerSecond < 3<<19 || q.BytesPerSecond > 3<<20 {
		t.Fatalf("a burst: %d bytes a second", q.BytesPerSecond)
	}
	if q := fill(done, at); q.BytesPerSecond != 0 || q.ETASeconds != nil { // another pass, or the clock began anew
		t.Fatalf("it began anew: %+v", q)
	}
	m = meter{}
	fill(0, 0)
	if q := fill(1, 1000*time.Second); q.ETASeconds != nil {
		t.Fatalf("a year is no estimate: %d s", *q.ETASeconds)
	}
}

func TestProgressIsToldTwiceASecondAtMost(t *testing.T) {
	w := newWorld(t)
	w.publish(42, large())
	type point struct {
		Progress
		at time.Duration
	}
	var points []point
	states := map[State]bool{}
	w.agent.Observe = func(s Status) {
		states[s.State] = true
		if s.Progress != nil && (len(points) == 0 || points[len(points)-1].Progress != *s.Progress) {
			points = append(points, point{*s.Progress, w.device.up})
		}
	}
	w.slots.write = func() error { w.device.up += 100 * time.Millisecond; return nil }
	w.step()
	if len(points) < 4 {
		t.Fatalf("told %d times", len(points))
	}
	for i, p := range points {
		if p.Build != 42 || p.Image != "system" || p.BytesTotal != 36<<20 || p.BytesDone > p.BytesTotal {
			t.Fatalf("%+v", p)
		}
		if i == 0 {
			continue
		}
		before, last := points[i-1], p.BytesDone == p.BytesTotal
		if p.Phase == before.Phase && (p.BytesDone < before.BytesDone || (p.at-before.at < tellEvery && !last)) {
			t.Fatalf("%+v after %+v", p, before)
		}
	}
	if last := points[len(points)-1]; last.Phase != Reading || last.BytesDone != last.BytesTotal {
		t.Fatalf("it ends with %+v", last)
	}
	for _, s := range []State{Checking, Planning, Downloading, Verifying, Staged, Arming, RebootPending} {
		if !states[s] {
			t.Errorf("%s was not told", s)
		}
	}
}

func TestProgressIsKnownWhileADownloadIsHeldAndForgottenAfter(t *testing.T) {
	w := newWorld(t)
	w.publish(42, large())
	w.slots.write = func() error { w.device.up += time.Second; return nil }
	w.slots.sync = func() { w.device.that.BatteryPercent = 1 }
	s := w.step()
	if s.Progress == nil || s.Progress.BytesDone < 16<<20 || s.Progress.Phase != Writing {
		t.Fatalf("progress %+v", s.Progress)
	}
	w.slots.sync, w.device.that.BatteryPercent = nil, 100
	w.start()
	if p := w.agent.Status().Progress; p == nil {
		t.Fatal("the last known progress is forgotten")
	}
	if s := w.once(); s.Progress != nil {
		t.Fatalf("progress of an update that is done: %+v", s.Progress)
	}
}
