package ceremony

import (
	"testing"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// crowded is a state whose product has 50 live releases. A proposal carries its
// own product alone, however many others there are.
func crowded(b *testing.B, w *world) *State {
	b.Helper()
	s := w.ready()
	for build := manifests.Build(1); build <= 50; build++ {
		p := w.propose(s, w.release(build))
		s = w.state(w.sign(w.sign(p, ImageBuilder, "dora"), ImageRecomputed, "emil"))
	}
	return s
}

// BenchmarkEventIsOpenedAndShown reads, checks and describes a proposal of a
// release beside 50 live ones: what `event show` does once it has the file.
func BenchmarkEventIsOpenedAndShown(b *testing.B) {
	w := newWorld(b)
	s := crowded(b, w)
	data, err := w.sign(w.propose(s, w.release(51)), ImageBuilder, "dora").Marshal()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		p, err := Parse(data)
		if err != nil {
			b.Fatal(err)
		}
		if lines := p.Describe(w.now); len(lines) == 0 {
			b.Fatal("says nothing")
		}
	}
}

// BenchmarkRoleOfFiftyReleasesIsVerified is what a handset's library does with
// the list of a product's releases.
func BenchmarkRoleOfFiftyReleasesIsVerified(b *testing.B) {
	w := newWorld(b)
	s := crowded(b, w)
	role, file := layout.ReleasesRole(phone), []byte(s.releaseFiles[phone])
	for b.Loop() {
		m, err := metadata.Targets().FromBytes(file)
		if err == nil {
			err = s.targets.VerifyDelegate(role, m)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
