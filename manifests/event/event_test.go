package event

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestProposalIsReadAsItWasWritten(t *testing.T) {
	who := people()
	p := who[2].reject(t, who[1].sign(t, who[0].sign(t, proposal(), ImageBuilder), ImageRecomputed), "the notes are wrong")
	again, err := Parse(bytesOf(t, p))
	must(t, err)
	must(t, again.CheckWords(ballots(again)))
	if !bytes.Equal(bytesOf(t, p), bytesOf(t, again)) {
		t.Error("other bytes")
	}
	files, err := again.Files()
	must(t, err)
	if len(files.Metadata) != 1 || files.Metadata["2.releases-phone.json"] == nil || string(files.Targets["releases/phone/42.json"]) != "new" {
		t.Errorf("%v", files)
	}
}

func TestWordsJoinInAnyOrder(t *testing.T) {
	who := people()
	copies := []*Proposal{
		who[0].sign(t, proposal(), ImageBuilder), who[1].sign(t, proposal(), ImageRecomputed), who[2].reject(t, proposal(), "no"), proposal(),
	}
	var first []byte
	for _, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 0, 3, 1, 0, 2}, {1, 1, 3, 0, 2}} {
		p := proposal()
		for _, i := range order {
			var err error
			p, err = Merge(p, copies[i])
			must(t, err)
		}
		must(t, p.CheckWords(ballots(p)))
		if first == nil {
			first = bytesOf(t, p)
		}
		if !bytes.Equal(first, bytesOf(t, p)) {
			t.Errorf("order %v gives other bytes", order)
		}
	}
}

func TestSigningTakesARejectionBack(t *testing.T) {
	who := people()
	p := who[0].reject(t, proposal(), "no")
	if got := p.Rejected(); len(got) != 1 || got[0].Reason != "no" {
		t.Errorf("got %v", got)
	}
	p = who[0].sign(t, p, ImageWithout)
	must(t, p.CheckWords(ballots(p)))
	if got := p.Rejected(); len(got) != 0 || len(p.Rejections) != 1 {
		t.Errorf("got %v of %v", got, p.Rejections)
	}
}

func TestAlteredProposalIsRefusedWithWhatDiffers(t *testing.T) {
	who := people()
	for want, alter := range map[string]func(*Proposal){
		"what it is about":                     func(p *Proposal) { p.Created = made.Add(time.Hour).Format(time.RFC3339) },
		"the roots":                            func(p *Proposal) { p.Base.Roots = append(p.Base.Roots, "x") },
		"the published targets":                func(p *Proposal) { p.Base.Targets = "x" },
		"the published list of releases":       func(p *Proposal) { p.Base.Releases = "x" },
		"the live releases":                    func(p *Proposal) { p.Base.Documents[0].Body = "x" },
		"the release document":                 func(p *Proposal) { p.Documents[0].Body = "x" },
		"the metadata of releases-phone":       func(p *Proposal) { p.Roles[0].Signed = strings.Replace(p.Roles[0].Signed, "2", "3", 1) },
		"the roots that it starts from, the p": func(p *Proposal) { p.Base.Roots, p.Base.Targets = []string{"x"}, "y" },
	} {
		for name, said := range map[string]*Proposal{
			"statement": who[0].sign(t, proposal(), ImageBuilder), "rejection": who[0].reject(t, proposal(), "no"),
		} {
			p := proposal().With(said.Said()...)
			alter(p)
			err := p.CheckWords(ballots(p))
			if !errors.Is(err, ErrAltered) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), name+" of Dora Lind") {
				t.Errorf("%s: %s: got %v", name, want, err)
			}
		}
	}
	other := proposal()
	other.Documents[0].Body = "x"
	if _, err := Merge(proposal(), other); !errors.Is(err, ErrOther) || !strings.Contains(err.Error(), "the release document") {
		t.Errorf("merge: %v", err)
	}
}

func TestWordThatDoesNotHoldIsRefused(t *testing.T) {
	who := people()
	stranger := person{"Mallory", strings.Repeat("ab", 32), who[0].key}
	for want, p := range map[string]*Proposal{
		"may not sign this":                stranger.sign(t, proposal(), ImageBuilder),
		"its signature is not valid":       person{who[0].name, who[0].id, who[1].key}.sign(t, proposal(), ImageBuilder),
		"the key is Dora Lind's":           person{"Emil Novak", who[0].id, who[0].key}.sign(t, proposal(), ImageBuilder),
		"not signed blind":                 who[0].sign(t, proposal(), ImageNone),
		"somebody else has signed as the":  who[1].sign(t, who[0].sign(t, proposal(), ImageBuilder), ImageBuilder),
		"rejection of Dora Lind: its sign": person{who[0].name, who[0].id, who[1].key}.reject(t, proposal(), "no"),
	} {
		if err := p.CheckWords(ballots(p)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
	for want, spoil := range map[string]func(*Proposal){
		"(key":                             func(p *Proposal) { p.Roles[0].Signatures[0].Sig = strings.Repeat("00", 64) },
		"signed without a statement":       func(p *Proposal) { p.Statements = p.Statements[:0] },
		"does not belong to a signature":   func(p *Proposal) { p.Roles[0].Signatures = []Signature{} },
		"statement of Dora Lind: its sign": func(p *Proposal) { p.Statements[0].Image = ImageRecomputed },
	} {
		p := who[0].sign(t, proposal(), ImageBuilder)
		spoil(p)
		if err := p.CheckWords(ballots(p)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
}

func TestMalformedProposalIsRefused(t *testing.T) {
	who := people()
	for want, spoil := range map[string]func(*Proposal){
		"this program reads":        func(p *Proposal) { p.Format = "candor-proposal-0" },
		`unknown kind "gift"`:       func(p *Proposal) { p.Kind = "gift" },
		"signs [\"releases-phone\"": func(p *Proposal) { p.Roles[0].Name = "root" },
		`field "created"`:           func(p *Proposal) { p.Created = "yesterday" },
		"1025 roots":                func(p *Proposal) { p.Base.Roots = make([]string, MaxRoots+1) },
		"101 live":                  func(p *Proposal) { p.Base.Documents = make([]Document, MaxLive+1) },
		"33 statements":             func(p *Proposal) { p.Statements = make([]Statement, MaxSignatures+1) },
		"33 signatures":             func(p *Proposal) { p.Roles[0].Signatures = make([]Signature, MaxSignatures+1) },
		"so that handsets verify":   func(p *Proposal) { p.Roles[0].Signed = strings.Repeat("x", 200<<10+1) },
		"at most 131072":            func(p *Proposal) { p.Documents[0].Body = strings.Repeat("x", 128<<10+1) },
		"signed twice":              func(p *Proposal) { p.Roles[0].Signatures = append(p.Roles[0].Signatures, p.Roles[0].Signatures...) },
		"a second one of key":       func(p *Proposal) { p.Statements = append(p.Statements, p.Statements...) },
		"is not 64 hex digits":      func(p *Proposal) { p.Statements[0].KeyID = "abc" },
		"is not hex":                func(p *Proposal) { p.Statements[0].Sig = "xyz" },
		"holder: longer":            func(p *Proposal) { p.Statements[0].Holder = strings.Repeat("x", 101) },
		"at most 16":                func(p *Proposal) { p.Statements[0].Parts = make([]Part, maxParts+1) },
		"reason: say why":           func(p *Proposal) { p.Rejections[0].Reason = " \n" },
		"reason: 2001 bytes":        func(p *Proposal) { p.Rejections[0].Reason = strings.Repeat("x", MaxReason+1) },
		"direction override":        func(p *Proposal) { p.Rejections[0].Reason = "fine \u202e enif" },
	} {
		p := who[1].reject(t, who[0].sign(t, proposal(), ImageBuilder), "no")
		must(t, p.Check())
		spoil(p)
		if err := p.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
	if _, err := Parse(make([]byte, MaxProposal+1)); err == nil {
		t.Error("an over-long file was read")
	}
}

func TestProposalIsOfItsTime(t *testing.T) {
	p := proposal()
	must(t, p.CheckTimes(made))
	must(t, p.CheckTimes(made.Add(-MaxAhead)))
	if err := p.CheckTimes(made.Add(-MaxAhead - time.Second)); !errors.Is(err, ErrFuture) {
		t.Errorf("made tomorrow: %v", err)
	}
	if err := p.CheckTimes(made.AddDate(0, 4, 0)); !errors.Is(err, ErrExpired) {
		t.Errorf("too late: %v", err)
	}
	p.Roles[0].Signed = fmt.Sprintf(`{"expires":%q,"version":2}`, made.Add(MaxLife+time.Second).Format(time.RFC3339))
	if err := p.CheckTimes(made); !errors.Is(err, ErrFuture) {
		t.Errorf("for ever: %v", err)
	}
	p.Roles[0].Signed = `{"version":2}`
	if err := p.CheckTimes(made); err == nil {
		t.Error("no expiry: accepted")
	}
}

func FuzzParse(f *testing.F) {
	who := people()
	f.Add(bytesOf(f, proposal()))
	f.Add(bytesOf(f, who[1].reject(f, who[0].sign(f, proposal(), ImageBuilder), "no")))
	f.Add([]byte(`{"format":"candor-proposal-1","kind":"renew"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse(data)
		if err != nil {
			return
		}
		again, err := Parse(bytesOf(t, p))
		must(t, err)
		one, err := p.Hash()
		must(t, err)
		two, err := again.Hash()
		must(t, err)
		if one != two {
			t.Error("the hash changed on the way")
		}
		merged, err := Merge(p, again)
		must(t, err)
		if len(merged.Statements) != len(p.Statements) || len(merged.Rejections) != len(p.Rejections) {
			t.Error("joining a copy with itself changed it")
		}
		_ = p.CheckWords(make([]Ballot, len(p.Roles)))
		_ = p.CheckTimes(made)
	})
}
