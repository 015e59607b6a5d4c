package votes_test

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/candor-ota/candor/manifests/vote"
)

func cpuSeconds(b *testing.B) float64 {
	b.Helper()
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}

// BenchmarkVote is the whole server side of one vote: both signatures, the
// credential, the evaluation with its proof, the MAC, and two durable writes.
// The handset's half is done before the clock starts.
func BenchmarkVote(b *testing.B) {
	w := newWorld(b)
	type one struct {
		issue *vote.IssueRequest
		cast  *vote.CastRequest
	}
	// A token's bytes depend only on nonce and key, so the cast can be made
	// before the issue is asked for.
	all := make([]one, b.N)
	key, err := w.Master.Key(ref, vote.Trial, vote.Primary)
	must(b, err)
	for i := range all {
		h := newHandset(b, w.ca)
		p := pending(b)
		all[i].issue = h.issueRequest(b, vote.Trial, vote.Primary, p)
		answer, err := key.Evaluate(all[i].issue.Blinded)
		must(b, err)
		token, err := p.Finish(key.Public(), answer)
		must(b, err)
		all[i].cast = spend(b, token, vote.Trial, healthy)
		if i%900 == 899 {
			w.pass(24 * 3600e9)
		}
		must(b, w.Enrol(b.Context(), h.enrolRequest()))
	}
	var next atomic.Int64
	b.SetParallelism(128 / runtime.GOMAXPROCS(0))
	b.ResetTimer()
	before := cpuSeconds(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			v := all[next.Add(1)-1]
			if _, err := w.Issue(b.Context(), v.issue); err != nil {
				b.Error(err)
			}
			if err := w.Cast(b.Context(), v.cast); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric((cpuSeconds(b)-before)*1e6/float64(b.N), "cpu-µs/vote")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "votes/s")
}
