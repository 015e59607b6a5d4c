package ceremony

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/candor-ota/candor/manifests"
)

func TestProposalTravelsUntilThresholdIsMet(t *testing.T) {
	w := newWorld(t)
	p := w.initProposal()
	if _, err := p.Submission(); !errors.Is(err, ErrIncomplete) {
		t.Fatalf("unsigned proposal: %v", err)
	}
	p = w.again(w.sign(p, ImageNone, "alice"))
	if _, err := p.Submission(); !errors.Is(err, ErrIncomplete) {
		t.Fatalf("one signature: %v", err)
	}
	p = w.again(w.sign(p, ImageNone, "bob"))
	done, err := p.Submission()
	if err != nil {
		t.Fatal(err)
	}
	if len(done.Metadata) != 2 {
		t.Errorf("metadata: %d files", len(done.Metadata))
	}
}

func TestOneKeySigningTwiceRefused(t *testing.T) {
	w := newWorld(t)
	p := w.sign(w.initProposal(), ImageNone, "alice")
	if err := p.Sign(t.Context(), w.unlock("alice"), ImageNone, w.now); !errors.Is(err, ErrAlreadySigned) {
		t.Fatalf("got %v", err)
	}
}

func TestForeignKeyRefused(t *testing.T) {
	w := newWorld(t)
	p := w.initProposal()
	err := p.Sign(t.Context(), w.unlock("dora"), ImageNone, w.now)
	if !errors.Is(err, ErrWrongKey) || !strings.Contains(err.Error(), "Alice Chen") {
		t.Fatalf("got %v; it should name who may sign", err)
	}
}

func TestSecondKeyOfOnePersonRefused(t *testing.T) {
	w := newWorld(t)
	w.key("alice-2", "alice  CHEN")
	_, err := Init(InitOptions{RootKeys: w.publics("alice", "alice-2", "bob"), Threshold: 2, Online: w.service(), Now: w.now})
	if err == nil || !strings.Contains(err.Error(), "holds two keys") {
		t.Fatalf("init with two keys of one person: %v", err)
	}
	// a key whose file names another person than the role does
	alice := w.public["alice"]
	alice.Holder = "Bob Okafor"
	if err := w.initProposal().CanSign(alice, w.now); err == nil || !strings.Contains(err.Error(), "listed as Alice Chen's") {
		t.Fatalf("one person may sign with another's key: %v", err)
	}
}

func TestLoneSignerRefused(t *testing.T) {
	w := newWorld(t)
	for _, threshold := range []int{0, 1, 4} {
		if _, err := Init(InitOptions{RootKeys: w.publics("alice", "bob", "carol"), Threshold: threshold, Online: w.service(), Now: w.now}); err == nil {
			t.Errorf("threshold %d accepted", threshold)
		}
	}
}

func TestEngineersShareNoKeyWithRoot(t *testing.T) {
	w := newWorld(t)
	s := w.state(w.sign(w.initProposal(), ImageNone, "alice", "bob"))
	_, err := AddProduct(s, ProductOptions{Product: phone, Engineers: w.publics("alice", "emil"), Threshold: 2, Now: w.now})
	if err == nil || !strings.Contains(err.Error(), "key of root or targets") {
		t.Fatalf("got %v", err)
	}
}

func TestOnlineKeysAreApart(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(*Online){
		"snapshot = timestamp": func(o *Online) { o.Snapshot = o.Timestamp },
		"rollouts = snapshot":  func(o *Online) { o.Rollouts = o.Snapshot },
		"timestamp = alice":    func(o *Online) { o.Timestamp = OnlineKey{KeyID: w.public["alice"].KeyID, Key: w.public["alice"].Key} },
	} {
		online := w.service()
		change(&online)
		if _, err := Init(InitOptions{RootKeys: w.publics("alice", "bob"), Threshold: 2, Online: online, Now: w.now}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestReleaseIsNotSignedBlind(t *testing.T) {
	w := newWorld(t)
	p := w.propose(w.ready(), w.release(41))
	if err := p.Sign(t.Context(), w.unlock("dora"), ImageNone, w.now); !errors.Is(err, ErrNoImage) {
		t.Fatalf("blind signature: %v", err)
	}
	w.sign(p, ImageBuilder, "dora")
	if err := p.Sign(t.Context(), w.unlock("emil"), ImageBuilder, w.now); !errors.Is(err, ErrTwoBuilders) {
		t.Fatalf("second builder: %v", err)
	}
	w.sign(p, ImageWithout, "emil")
	if got := w.again(p).Unseen(); len(got) != 1 || got[0] != "Emil Novak" {
		t.Errorf("signed without an image: %v", got)
	}
}

func TestForgedStatementRefused(t *testing.T) {
	w := newWorld(t)
	p := w.sign(w.sign(w.propose(w.ready(), w.release(41)), ImageBuilder, "dora"), ImageWithout, "emil")
	data, err := p.Marshal()
	w.must(err)
	prettier := bytes.Replace(data, []byte(`"image":"without"`), []byte(`"image":"recomputed"`), 1)
	if _, err := Parse(prettier); err == nil || !strings.Contains(err.Error(), "statement of Emil Novak") {
		t.Fatalf("edited statement: %v", err)
	}
	p.Statements = p.Statements[:1]
	data, err = p.Marshal()
	w.must(err)
	if _, err := Parse(data); err == nil || !strings.Contains(err.Error(), "without a statement") {
		t.Fatalf("dropped statement: %v", err)
	}
}

func TestTamperedProposalRefused(t *testing.T) {
	w := newWorld(t)
	p := w.sign(w.propose(w.ready(), w.release(41)), ImageBuilder, "dora")
	data, err := p.Marshal()
	w.must(err)
	sig := p.Roles[0].Signatures[0].Sig
	for name, bad := range map[string][]byte{
		"flipped signature":   bytes.Replace(data, []byte(sig), []byte(flip(sig)), 1),
		"signature of nobody": bytes.ReplaceAll(data, []byte(`"keyid":"`+w.public["dora"].KeyID), []byte(`"keyid":"`+w.public["fay"].KeyID)),
		"release changed":     bytes.ReplaceAll(data, []byte(`A fix.`), []byte(`A fox.`)),
		"other build":         bytes.Replace(data, []byte(`"build":41`), []byte(`"build":42`), 1),
		"other kind":          bytes.Replace(data, []byte(`"kind":"release"`), []byte(`"kind":"withdraw"`), 1),
		"unknown field":       bytes.Replace(data, []byte(`{"base"`), []byte(`{"also":1,"base"`), 1),
		"truncated":           data[:len(data)-20],
		"trailing":            append(bytes.Clone(data), "{}"...),
	} {
		if bytes.Equal(bad, data) {
			t.Errorf("%s: the test changes nothing", name)
		}
		if _, err := Parse(bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func flip(sig string) string {
	if sig[20] == '0' {
		return sig[:20] + "1" + sig[21:]
	}
	return sig[:20] + "0" + sig[21:]
}

func TestProposalOfAnotherSystemRefused(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	mine, err := w.initProposal().Anchor()
	w.must(err)
	own := w.propose(w.ready(), w.release(41))
	if err := own.TrustedBy(mine); err != nil {
		t.Fatalf("own system: %v", err)
	}
	p := other.propose(other.ready(), other.release(41))
	if err := p.TrustedBy(mine); !errors.Is(err, ErrOtherRoot) {
		t.Fatalf("got %v", err)
	}
}

func TestExpiredProposalRefused(t *testing.T) {
	w := newWorld(t)
	p := w.propose(w.ready(), w.release(41))
	w.now = w.now.Add(ReleasesLife)
	if err := p.Sign(t.Context(), w.unlock("dora"), ImageBuilder, w.now); !errors.Is(err, ErrExpired) {
		t.Fatalf("got %v", err)
	}
}

func TestParallelSignaturesMerge(t *testing.T) {
	w := newWorld(t)
	blank := w.propose(w.ready(), w.release(41))
	a, b := w.sign(w.again(blank), ImageBuilder, "dora"), w.sign(w.again(blank), ImageRecomputed, "emil")
	m, err := Merge(a, b)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.again(m).Complete(); err != nil {
		t.Error(err)
	}
	if a.Complete() == nil || b.Complete() == nil {
		t.Error("merging changed its inputs")
	}
	rival := w.sign(w.again(blank), ImageBuilder, "emil")
	if _, err := Merge(a, rival); !errors.Is(err, ErrTwoBuilders) {
		t.Errorf("two builders merged: %v", err)
	}
	if _, err := Merge(a, w.initProposal()); !errors.Is(err, ErrOtherProposal) {
		t.Errorf("two proposals merged: %v", err)
	}
}

func TestWordsSayWhatIsSigned(t *testing.T) {
	w := newWorld(t)
	s := w.ready()
	first := w.sign(w.sign(w.propose(s, w.release(41)), ImageBuilder, "dora"), ImageRecomputed, "emil")
	next := w.propose(w.state(first), w.release(42, collecting, asking))
	text := strings.Join(next.Describe(w.now), "\n")
	for _, want := range []string{
		"phone build 42", "at most 1 % at once, at most 100 % after 1h", "collects contact-numbers", "compared with build 41: it TAKES MORE",
		"the owner is asked", "notes [zh]: 说明。", manifests.SumSHA256([]byte("42")).String(), "live releases afterwards: 41, 42",
		"needs 2 of: ", "Dora Lind", "next word by 2014-10-09",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the words lack %q:\n%s", want, text)
		}
	}
	if text := strings.Join(w.initProposal().Describe(w.now), "\n"); !strings.Contains(text, "Alice Chen") || !strings.Contains(text, "root: 2 of 3") {
		t.Errorf("words of init:\n%s", text)
	}
}
