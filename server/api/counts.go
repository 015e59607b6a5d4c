package api

import (
	"math/rand/v2"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// counter counts without making processors wait for one another: each adds to
// a line of memory that it seldom shares.
type counter [16]struct {
	n atomic.Uint64
	_ [56]byte // the rest of a line
}

func (c *counter) add() { c.plus(1) }

func (c *counter) plus(n uint64) { c[rand.Uint32()%uint32(len(c))].n.Add(n) }

func (c *counter) sum() (n uint64) {
	for i := range c {
		n += c[i].n.Load()
	}
	return n
}

// staticCounts are the answers of the static plane. It is a
// prometheus.Collector.
type staticCounts struct{ served, unchanged, missing, blobs, bytes counter }

var staticDesc = prometheus.NewDesc("candor_static_responses_total", "Answers of the static plane.", []string{"kind"}, nil)

// Describe implements prometheus.Collector.
func (s *staticCounts) Describe(out chan<- *prometheus.Desc) { prometheus.DescribeByCollect(s, out) }

// Collect implements prometheus.Collector.
func (s *staticCounts) Collect(out chan<- prometheus.Metric) {
	send := figures(out)
	for kind, c := range map[string]*counter{"served": &s.served, "not_modified": &s.unchanged, "not_found": &s.missing, "blob": &s.blobs} {
		send.total(staticDesc, int64(c.sum()), kind)
	}
	send.total(bytesDesc, int64(s.bytes.sum()))
}
