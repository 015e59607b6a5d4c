package ceremony

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// kept is the transcript of a change of root holders.
func kept(t testing.TB) (*world, *Proposal, []byte) {
	w := newWorld(t)
	p := w.sign(w.wider(w.ready()), ImageNone, "alice", "carol", "gil", "hana")
	page, err := p.Transcript()
	w.must(err)
	return w, p, page
}

func TestTranscriptSaysWhatItsProposalSaysAndNothingElse(t *testing.T) {
	_, p, page := kept(t)
	back, err := ReadTranscript(page)
	if err != nil || back.Hash() != p.Hash() {
		t.Fatal(err)
	}
	for _, name := range []string{"Alice Chen", "Carol Ruiz", "Gil Haddad", "Hana Ito"} {
		if !bytes.Contains(page, []byte(name)) {
			t.Errorf("%s is missing", name)
		}
		if _, err := ReadTranscript(bytes.Replace(page, []byte(name), []byte("Eve Eve"), 1)); !errors.Is(err, ErrTranscript) {
			t.Errorf("%s renamed: %v", name, err)
		}
	}
	at := bytes.Index(page, []byte(transcriptOpen))
	for name, bad := range map[string][]byte{
		"a line more":    append(bytes.Clone(page[:at]), append([]byte("PS: Eve signed as well.\n\n"), page[at:]...)...),
		"text after it":  append(bytes.Clone(page), "and more"...),
		"cut":            page[:len(page)-9],
		"no proposal":    page[:at],
		"other proposal": append(bytes.Clone(page[:at]), otherPage(t)...),
	} {
		if _, err := ReadTranscript(bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// otherPage is the end of another transcript.
func otherPage(t *testing.T) []byte {
	t.Helper()
	_, _, page := kept(t)
	return page[bytes.Index(page, []byte(transcriptOpen)):]
}

func TestUnfinishedCeremonyHasNoTranscript(t *testing.T) {
	w := newWorld(t)
	p := w.sign(w.initProposal(), ImageNone, "alice")
	if _, err := p.Transcript(); !errors.Is(err, ErrIncomplete) {
		t.Errorf("got %v", err)
	}
}

// Names and notes cannot forge a line of the page.
func TestTranscriptKeepsForeignTextInItsPlace(t *testing.T) {
	if got := cell("a|b\n## c ```"); strings.ContainsAny(got, "\n") || strings.Contains(got, "```") || !strings.Contains(got, `\|`) {
		t.Errorf("got %q", got)
	}
}

func FuzzReadTranscript(f *testing.F) {
	_, _, page := kept(f)
	f.Add(page)
	f.Add([]byte("# Transcript: init\n\n" + transcriptOpen + "e30=\n" + transcriptClose))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ReadTranscript(data)
		if err != nil {
			return
		}
		if again, err := p.Transcript(); err != nil || !bytes.Equal(again, data) {
			t.Error("a page was accepted that its proposal does not give")
		}
	})
}
