package powertest

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/candor-ota/candor/client/disk/disktest"
)

// The power is cut once in the story, and then while the handset recovers:
// twice, or oftener where so many states are wanted that cutting one recovery
// at more than manyCuts places would mostly lead to states that were seen.
const (
	leastDepth = 3
	manyCuts   = 8
)

// explorer visits the states of stories. A state is a disk, and what happened
// outside of it; one that was seen is not visited again.
type explorer struct {
	seed    uint64
	nested  int // cuts in each recovery
	seen    [64]shard
	states  []atomic.Int64 // by the number of cuts, less one
	cuts    atomic.Int64   // places at which the power was cut in the stories
	tried   atomic.Int64   // outcomes, those that led to a state that was seen included
	mu      sync.Mutex
	failure error
}

// newExplorer cuts each recovery so often that a round or two come to so many
// states: one cut alone leads to more than a thousand, and most cuts of a
// recovery to one more.
func newExplorer(seed uint64, states int64) *explorer {
	depth, nested := leastDepth, 0
	for ; ; depth++ {
		nested = int(math.Pow(float64(states)/400, 1/float64(depth-1)))
		if nested <= manyCuts {
			break
		}
	}
	return &explorer{seed: seed, nested: max(1, nested), states: make([]atomic.Int64, depth)}
}

type shard struct {
	sync.Mutex
	keys map[uint64]struct{}
}

func (x *explorer) fresh(key uint64) bool {
	s := &x.seen[key%uint64(len(x.seen))]
	s.Lock()
	defer s.Unlock()
	if _, ok := s.keys[key]; ok {
		return false
	}
	if s.keys == nil {
		s.keys = map[uint64]struct{}{}
	}
	s.keys[key] = struct{}{}
	return true
}

func (x *explorer) visited() int64 {
	n := int64(0)
	for i := range x.states {
		n += x.states[i].Load()
	}
	return n
}

// byCuts tells how many states lie behind one cut, behind two, and so on.
func (x *explorer) byCuts() string {
	words := make([]string, len(x.states))
	for i := range x.states {
		words[i] = fmt.Sprintf("%d cuts %d", i+1, x.states[i].Load())
	}
	return strings.Join(words, ", ")
}

// cut is a place in a recorded run, and what becomes of the disk there.
type cut struct {
	at      int
	outcome disktest.Outcome
}

func (c cut) String() string { return fmt.Sprintf("%d@%s", c.at, c.outcome) }

// node is a state, and how to come to it.
type node struct {
	story   *story
	path    []cut
	disk    *disktest.Disk
	outside outside
}

func (n *node) String() string {
	words := []string{n.story.name}
	for _, c := range n.path {
		words = append(words, c.String())
	}
	return strings.Join(words, " ")
}

func (n *node) key() uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, n.story.name, " ", n.outside.digest())
	return h.Sum64() ^ n.disk.Fingerprint("")
}

// further picks the states from which the story is told to its end.
func further(key uint64) bool { return key%32 == 0 }

// visit runs a state to its end, and then the states that cuts on the way lead
// to.
func (x *explorer) visit(n *node) {
	x.tried.Add(1)
	key := n.key()
	if x.failed() != nil || !x.fresh(key) {
		return
	}
	deeper := len(n.path) < len(x.states)
	if deeper {
		n.disk.Record()
	}
	h := newHandset(n.story, n.disk, n.outside)
	x.states[len(n.path)-1].Add(1)
	if err := h.live(further(key)); err != nil {
		x.fail(n, err)
		return
	}
	if deeper {
		x.recut(n, h, rand.New(rand.NewPCG(key, x.seed)))
	}
}

// recut cuts a recovery at some places.
func (x *explorer) recut(n *node, h *handset, chance *rand.Rand) {
	places := make([]int, x.nested)
	for i := range places {
		places[i] = chance.IntN(n.disk.Recorded() + 1)
	}
	slices.Sort(places)
	for walk := n.disk.Walk(); len(places) > 0; {
		if walk.Position() == places[0] {
			places = places[1:]
			x.visit(n.after(walk, h, luck(walk, chance)))
			continue
		}
		walk.Next()
	}
}

// luck is any outcome.
func luck(walk *disktest.Walk, chance *rand.Rand) disktest.Outcome {
	named := disktest.Outcomes(walk.Pending())
	if i := chance.IntN(len(named) + 4); i < len(named) {
		return named[i]
	}
	return disktest.Outcome{Kind: []string{"some", "torn"}[chance.IntN(2)], N: uint64(chance.Uint32())}
}

// after is the state behind one more cut.
func (n *node) after(walk *disktest.Walk, h *handset, o disktest.Outcome) *node {
	return &node{n.story, append(slices.Clip(n.path), cut{walk.Position(), o}), walk.Crash(o), h.history[walk.Mark()]}
}

// begin tells a story without a cut, on a disk that records.
func begin(s *story) (*node, *handset, error) {
	n := &node{story: s, disk: factory().Clone()}
	if s.reports {
		n.disk = reporting().Clone()
	}
	n.disk.Record()
	h := newHandset(s, n.disk, outside{})
	if err := h.powerOn(); err != nil {
		return n, h, err
	}
	if err := h.finish(); err != nil {
		return n, h, err
	}
	return n, h, h.tell()
}

// chancy is how many outcomes by chance each place has in a round, of each kind.
const chancy = 3

// round gives the states of one story: every place with every outcome that has
// a name in the first round, and with outcomes by chance in each.
func (x *explorer) round(s *story, number uint64, to chan<- *node) error {
	n, h, err := begin(s)
	if err != nil {
		return fmt.Errorf("without a cut: %w", err)
	}
	chance := rand.New(rand.NewPCG(x.seed, number))
	for walk, more := n.disk.Walk(), true; more; more = walk.Next() {
		var outcomes []disktest.Outcome
		if number == 0 {
			outcomes = disktest.Outcomes(walk.Pending())
			x.cuts.Add(1)
		}
		if walk.Pending() > 0 {
			for range chancy {
				outcomes = append(outcomes, disktest.Outcome{Kind: "some", N: uint64(chance.Uint32())}, disktest.Outcome{Kind: "torn", N: uint64(chance.Uint32())})
			}
		}
		for _, o := range outcomes {
			to <- n.after(walk, h, o)
		}
		if x.failed() != nil {
			return nil
		}
	}
	return nil
}

// explore goes through stories, round after round, until so many states were
// visited.
func (x *explorer) explore(list []*story, states int64, workers int) error {
	for number := uint64(0); x.visited() < states && x.failed() == nil; number++ {
		before := x.visited()
		nodes, done := make(chan *node, 4), sync.WaitGroup{}
		for range workers {
			done.Go(func() {
				for n := range nodes {
					x.visit(n)
				}
			})
		}
		for _, s := range list {
			if err := x.round(s, number, nodes); err != nil {
				x.fail(&node{story: s}, err)
			}
		}
		close(nodes)
		done.Wait()
		if x.visited() == before {
			break
		}
	}
	return x.failed()
}

func (x *explorer) failed() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.failure
}

// fail keeps the failure with the shortest way to it.
func (x *explorer) fail(n *node, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.failure == nil {
		x.failure = fmt.Errorf("state %q: %w", n, err)
	}
}

// replay comes to a state by its name.
func replay(all []*story, name string) (*node, error) {
	words := strings.Fields(name)
	at := slices.IndexFunc(all, func(s *story) bool { return len(words) > 0 && s.name == words[0] })
	if at < 0 {
		return nil, fmt.Errorf("state %q: it begins with the name of a story", name)
	}
	n, h, err := begin(all[at])
	for i, word := range words[1:] {
		if i > 0 { // the run that is cut is the one after the cut before; it may fail
			n.disk.Record()
			h = newHandset(n.story, n.disk, n.outside)
			err = h.live(further(n.key()))
		}
		place, outcome, _ := strings.Cut(word, "@")
		to, perr := strconv.Atoi(place)
		if perr != nil {
			return nil, fmt.Errorf("state %q: %q is no cut: %w", name, word, perr)
		}
		o, perr := disktest.ParseOutcome(outcome)
		if perr != nil {
			return nil, perr
		}
		walk := n.disk.Walk()
		for walk.Position() < to && walk.Next() {
		}
		if walk.Position() != to {
			return nil, fmt.Errorf("state %q: the run has only %d operations (%w)", name, walk.Position(), err)
		}
		n = n.after(walk, h, o)
	}
	return n, nil
}
