package sim

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/candor-ota/candor/manifests"
)

// builds are those that the seeds take turns with: each reaches the fleet in
// another order.
const builds = 4

// firstBuild is the lowest of them.
const firstBuild manifests.Build = 42

// Many plays a scenario with so many seeds, from first on, in a few goroutines
// at once. The runs stand in the order of their seeds.
func Many(s *Scenario, first uint64, seeds, workers int) ([]Run, error) {
	var orders [builds]*Order
	for i := range min(builds, seeds) {
		orders[i] = s.Fleet.Order(firstBuild + manifests.Build(i))
	}
	runs, errs := make([]Run, seeds), make([]error, workers)
	handsets := 0
	for _, o := range orders[:min(builds, seeds)] {
		handsets = max(handsets, o.Within(s.Plan.Stages[s.lastStage()].Share))
	}
	var next atomic.Int64
	var all sync.WaitGroup
	for i := range workers {
		all.Go(func() {
			w := NewWorld(handsets, s.Horizon)
			for n := int(next.Add(1)) - 1; n < seeds && errs[i] == nil; n = int(next.Add(1)) - 1 {
				runs[n], errs[i] = w.Run(s, orders[n%builds], first+uint64(n))
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return runs, nil
}

// lastStage is the last one that a run can open.
func (s *Scenario) lastStage() int {
	if s.LeavesAt > 0 {
		return min(s.LeavesAt, len(s.Plan.Stages)) - 1
	}
	return len(s.Plan.Stages) - 1
}

// Count is how many runs something holds for.
func Count(runs []Run, holds func(*Run) bool) int {
	n := 0
	for i := range runs {
		if holds(&runs[i]) {
			n++
		}
	}
	return n
}

// Quantile is the least value that a part of the runs of one kind does not
// exceed; zero if there is none of that kind.
func Quantile[V cmp.Ordered](runs []Run, of End, part float64, value func(*Run) V) V {
	var values []V
	for i := range runs {
		if runs[i].End == of {
			values = append(values, value(&runs[i]))
		}
	}
	if len(values) == 0 {
		var none V
		return none
	}
	slices.Sort(values)
	rank := int(part * float64(len(values)))
	if float64(rank) == part*float64(len(values)) && rank > 0 {
		rank--
	}
	return values[min(rank, len(values)-1)]
}
