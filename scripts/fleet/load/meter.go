package load

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/candor-ota/candor/client/outbox"
	"github.com/candor-ota/candor/scripts/figure"
)

// Op is a kind of request.
type Op string

// The operations. A poll that finds something new begins a walk, whose files
// are counted one by one.
const (
	Unchanged Op = "poll, 304"
	Changed   Op = "poll, 200"
	Walk      Op = "file of a walk"
	Enrol     Op = "enrolment"
	Token     Op = "token"
	Vote      Op = "vote"
	Late      Op = "this program: start after schedule"
)

// ops are in the order of the table.
var ops = []Op{Unchanged, Changed, Walk, Enrol, Token, Vote, Late}

// The histograms go from a microsecond to two minutes, at three digits.
const (
	longest = 2 * time.Minute
	digits  = 3
)

// meter keeps latencies and errors. It is safe for concurrent use.
type meter struct {
	mu    sync.Mutex
	took  map[Op]*hdrhistogram.Histogram
	wrong map[string]int64 // by operation and kind
}

func newMeter() *meter {
	m := &meter{took: map[Op]*hdrhistogram.Histogram{}, wrong: map[string]int64{}}
	for _, op := range ops {
		m.took[op] = hdrhistogram.New(1, longest.Microseconds(), digits)
	}
	return m
}

// done notes what a request took, or how it failed.
func (m *meter) done(op Op, took time.Duration, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		m.wrong[fmt.Sprintf("%s: %s", op, kindOf(err))]++
		return
	}
	us := min(max(took.Microseconds(), 1), longest.Microseconds())
	if err := m.took[op].RecordValue(us); err != nil {
		m.wrong[fmt.Sprintf("%s: not recorded", op)]++
	}
}

// failed counts what is no request's.
func (m *meter) failed(kind string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wrong[kind]++
}

// statusError is an answer that was not wanted.
type statusError int

func (s statusError) Error() string { return fmt.Sprintf("status %d", int(s)) }

// kindOf gives errors few names.
func kindOf(err error) string {
	var problem *outbox.Problem
	var status statusError
	var network net.Error
	switch {
	case errors.As(err, &problem):
		return fmt.Sprintf("%d %s", problem.Status, problem.Code)
	case errors.As(err, &status):
		return status.Error()
	case errors.As(err, &network) && network.Timeout():
		return "no answer in time"
	case errors.As(err, &network):
		return "the connection failed"
	case errors.Is(err, errBytes):
		return errBytes.Error()
	}
	return "other: " + firstLine(err.Error())
}

func firstLine(s string) string {
	for i, r := range s {
		if r == '\n' || i >= 120 {
			return s[:i]
		}
	}
	return s
}

// rows are latencies by operation, then errors by kind. The goal is for the
// 99th percentile; 0 is none.
func (m *meter) rows(took time.Duration, goal time.Duration) []figure.Row {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []figure.Row
	for _, op := range ops {
		h := m.took[op]
		n := h.TotalCount()
		if n == 0 {
			continue
		}
		ms := func(us int64) float64 { return float64(us) / 1000 }
		out = append(out,
			figure.Of(string(op)+": done", float64(n), "times"),
			figure.Of(string(op)+": rate", float64(n)/took.Seconds(), "a second"),
			figure.Of(string(op)+": p50", ms(h.ValueAtQuantile(50)), "ms"))
		p99 := figure.Of(string(op)+": p99", ms(h.ValueAtQuantile(99)), "ms")
		if goal > 0 && op != Late {
			p99 = figure.AtMost(p99.Measure, p99.Value, "ms", ms(goal.Microseconds()))
		}
		out = append(out, p99,
			figure.Of(string(op)+": p99.9", ms(h.ValueAtQuantile(99.9)), "ms"),
			figure.Of(string(op)+": max", ms(h.Max()), "ms"))
	}
	kinds := make([]string, 0, len(m.wrong))
	for kind := range m.wrong {
		kinds = append(kinds, kind)
	}
	slices.SortFunc(kinds, func(a, b string) int { return cmp.Or(cmp.Compare(m.wrong[b], m.wrong[a]), cmp.Compare(a, b)) })
	for _, kind := range kinds {
		out = append(out, figure.AtMost("errors, "+kind, float64(m.wrong[kind]), "times", 0))
	}
	return out
}

// requests are all that were answered as they should.
func (m *meter) requests() (n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for op, h := range m.took {
		if op != Late {
			n += h.TotalCount()
		}
	}
	return n
}
