package ceremony

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/manifests"
)

var rewrite = flag.Bool("golden", false, "write the golden files anew")

// Keys are new in each test, so their words and the order of people differ.
var (
	keyWords  = regexp.MustCompile(`(key|->)( [a-z]+){8}`)
	keyPeople = regexp.MustCompile(`[A-Z][a-z]+ [A-Z][a-z]+ \(key …\)`)
)

func settled(lines []string) string {
	for i, line := range lines {
		line = keyWords.ReplaceAllString(line, "$1 …")
		if all := keyPeople.FindAllString(line, -1); len(all) > 1 {
			slices.Sort(all)
			n := 0
			line = keyPeople.ReplaceAllStringFunc(line, func(string) string { n++; return all[n-1] })
		}
		if before, names, ok := strings.Cut(line, " of: "); ok {
			all := strings.Split(names, ", ")
			slices.Sort(all)
			line = before + " of: " + strings.Join(all, ", ")
		}
		lines[i] = line
	}
	for from := 0; from < len(lines); from++ {
		to := from
		for to < len(lines) && change.MatchString(lines[to]) {
			to++
		}
		slices.Sort(lines[from:to])
		from = max(from, to-1)
	}
	return strings.Join(lines, "\n") + "\n"
}

// change is a line about one person of a role.
var change = regexp.MustCompile(`^    (stays|NEW|GONE):`)

// TestWhatIsSignedIsSaid holds the words of each kind against golden files;
// -golden writes them anew.
func TestWhatIsSignedIsSaid(t *testing.T) {
	w := newWorld(t)
	ready := w.ready()
	first := w.sign(w.sign(w.propose(ready, w.release(41)), ImageBuilder, "dora"), ImageRecomputed, "emil")
	live := w.state(first)
	must := func(p *Proposal, err error) *Proposal { w.must(err); return p }
	rejected := w.propose(live, w.release(42))
	w.must(rejected.Reject(t.Context(), w.unlock("emil"), "the notes\nare wrong", w.now))
	online := newWorld(t)
	rotated := online.ready()
	online.renewKeys()
	many := newWorld(t)
	two := many.products()
	voted := newWorld(t)
	spare := voted.live(voted.release(41, voting(t)))
	old := newWorld(t)
	stones, _ := four(old)
	for name, p := range map[string]*Proposal{
		"root-people": many.wider(two),
		"online-keys": must(RotateOnline(rotated, online.service(), online.now)),
		"engineers": must(ChangeEngineers(two, ProductPeople{
			Product: phone, Change: PeopleChange{Replace: []Replacement{{"Emil Novak", many.public["fay"]}}}, Withdraw: []manifests.Build{42}, Now: many.now,
		})),
		"product-retire":  must(RetireProduct(two, phone, many.now)),
		"spare-votes":     must(SpareVotes(spare, phone, 41, voted.now)),
		"releases-retire": must(RetireReleases(stones, phone, []manifests.Build{41, 42}, nil, old.now)),
		"init":            w.initProposal(),
		"product-add":     must(AddProduct(w.state(w.sign(w.initProposal(), ImageNone, "alice", "bob")), ProductOptions{Product: phone, Engineers: w.publics("dora", "emil"), Threshold: 2, Now: w.now})),
		"release":         w.propose(ready, w.release(41)),
		"release-next":    w.propose(live, w.release(42, collecting, asking)),
		"rejected":        rejected,
		"withdraw":        must(Withdraw(live, phone, 41, w.now)),
		"renew":           must(RenewReleases(live, phone, w.now.AddDate(0, 1, 0))),
		"renew-root":      must(RenewTop(live, "root", w.now.AddDate(0, 1, 0))),
		"renew-targets":   must(RenewTop(live, "targets", w.now.AddDate(0, 1, 0))),
	} {
		got := settled(p.Describe(w.now))
		file := filepath.Join("testdata", "describe", name+".txt")
		if *rewrite {
			w.must(os.MkdirAll(filepath.Dir(file), 0o755))
			w.must(os.WriteFile(file, []byte(got), 0o644))
		}
		want, err := os.ReadFile(file)
		w.must(err)
		if got != string(want) {
			t.Errorf("%s says\n%s\ninstead of\n%s", name, got, want)
		}
	}
}

// Whatever is changed in a release has a line of its own.
func TestNothingInAReleaseChangesWithoutALine(t *testing.T) {
	w := newWorld(t)
	for want, edit := range map[string]func(*manifests.Release){
		"  version:":              func(r *manifests.Release) { r.Version = "other" },
		"  build:":                func(r *manifests.Release) { r.Build++ },
		"  why:":                  func(r *manifests.Release) { r.Risk = "security" },
		"  models:":               func(r *manifests.Release) { r.Compatible.Models = []manifests.Name{"other"} },
		"  installs over:":        func(r *manifests.Release) { r.Compatible.MinBuild = 7 },
		"  security epoch:":       func(r *manifests.Release) { r.SecurityEpoch++ },
		"  offered from:":         func(r *manifests.Release) { r.NotBefore = manifests.At(r.NotBefore.Add(time.Hour)) },
		"  offered until:":        func(r *manifests.Release) { r.OfferUntil = manifests.At(r.OfferUntil.Add(time.Hour)) },
		"  security fixes until:": func(r *manifests.Release) { r.SupportUntil = manifests.At(r.SupportUntil.Add(time.Hour)) },
		"  pace:":                 func(r *manifests.Release) { r.Pace[0].MaxShare++ },
		"  urgency:":              func(r *manifests.Release) { r.Urgency.MinDeferral.Duration += time.Hour },
		"  consent:":              func(r *manifests.Release) { r.Consent.Required = !r.Consent.Required },
		"  bundles:":              func(r *manifests.Release) { r.Offline = !r.Offline },
		"  lab handsets:":         func(r *manifests.Release) { r.LabAhead = !r.LabAhead },
		"  votes that may halt:":  func(r *manifests.Release) { r.Votes.MinToHalt++ },
		"  vote keys:": func(r *manifests.Release) {
			r.Votes.Primary, r.Votes.Spare = &manifests.VoteKeySet{}, &manifests.VoteKeySet{}
		},
		"  image system:":          func(r *manifests.Release) { r.Images[0].SHA256[0]++ },
		"  image system, index:":   func(r *manifests.Release) { r.Images[0].Index.Size++ },
		"  image system, pack:":    func(r *manifests.Release) { r.Images[0].Pack.SHA256[0]++ },
		"  image system, patch":    func(r *manifests.Release) { r.Images[0].Patches = []manifests.Patch{{BodySize: 1}} },
		"  notes [en]:":            func(r *manifests.Release) { r.Notes["en"] = "Other." },
		"  notes [zh]: 说明。 -> (no": func(r *manifests.Release) { delete(r.Notes, "zh") },
		"  fixes [en]:":            func(r *manifests.Release) { r.Fixes["en"] = "Other." },
		"  consent notice [en]:":   func(r *manifests.Release) { r.Consent.Notice = manifests.Text{"en": "May we?"} },
		"  PRIVACY, change [en]:":  func(r *manifests.Release) { r.Privacy.Change = manifests.Text{"en": "More."} },
		"  PRIVACY, contact-numbe": func(r *manifests.Release) { collecting(r) },
	} {
		old, err := manifests.ParseRelease(w.release(41))
		w.must(err)
		next, err := manifests.ParseRelease(w.release(41))
		w.must(err)
		edit(next)
		lines := Compare(old, next)
		if !strings.HasPrefix(lines[0], want) || !strings.Contains(lines[0], " -> ") {
			t.Errorf("%s: got %q", want, lines[0])
		}
		if last := lines[len(lines)-1]; !strings.HasPrefix(last, "  unchanged: ") || len(lines) > 3 {
			t.Errorf("%s: %q", want, lines)
		}
	}
}

func TestHostileTextIsHarmless(t *testing.T) {
	for text, want := range map[string]string{
		"a\x1b[2Jb":           "a<U+001B>[2Jb",
		"a\u202eb\u200bc":     "a<U+202E>b<U+200B>c",
		"signed\nby Alice":    "signed / by Alice",
		"a\xffb":              "a<U+FFFD>b",
		"说明 ü":                "说明 ü",
		"tab\there":           "tab<U+0009>here",
		"\u2066isolate\u2069": "<U+2066>isolate<U+2069>",
	} {
		if got := OneLine(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	if got := OneLine(strings.Repeat("x", 1_000_000)); len(got) > maxLine+40 || !strings.Contains(got, "1000000 bytes in all") {
		t.Errorf("a very long line takes %d", len(got))
	}
}
