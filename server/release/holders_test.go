package release_test

import (
	"strings"
	"testing"

	"github.com/candor-ota/candor/server/release/releasetest"
)

// A root that names somebody new has his signature, or is refused, however many
// others have signed.
func TestNewRootHolderShowsThatHisKeyCanBeUsed(t *testing.T) {
	w := ready(t)
	old := w.People
	fresh := w.NewPerson()
	w.People = append(old[:2:2], fresh)
	w.Signers = 2 // of the three, the two that were there before
	err := w.submit(releasetest.Join(w.Root(), w.NextTargets()))
	if err == nil || !strings.Contains(err.Error(), "has not signed") {
		t.Fatalf("got %v", err)
	}
	w.RootVersion--
	w.Targets.Signed.Version--
	w.Signers = 3
	w.must(w.submit(releasetest.Join(w.Root(), w.NextTargets())))
	w.Signers = 2
	w.People = []releasetest.Person{old[0], fresh, old[1]}
	w.must(w.submit(w.NextTargets()))
}

func TestEngineersAndTheirListChangeInOneStep(t *testing.T) {
	w := ready(t, 42)
	next := w.NewPerson()
	engineers := w.Engineers
	w.Engineers = []releasetest.Person{engineers[0], next}
	if err := w.submit(w.Replace(phone)); err == nil || !strings.Contains(err.Error(), "releases-phone") {
		t.Fatalf("the old list under the new table: %v", err)
	}
	w.Targets.Signed.Version--
	w.must(w.submit(releasetest.Join(w.Replace(phone), w.NextReleases(phone))))
	w.must(w.submit(w.Add(w.Release(43))))
	w.Engineers = engineers
	if err := w.submit(w.NextReleases(phone)); err == nil {
		t.Error("the engineer who was replaced still signs")
	}
}
