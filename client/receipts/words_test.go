package receipts_test

import (
	"strings"
	"testing"

	"github.com/candor-ota/candor/client/receipts"
	"github.com/candor-ota/candor/manifests"
)

func TestReceiptReadsAsWords(t *testing.T) {
	notice := manifests.Text{"en": "It stores numbers."}
	hash, err := receipts.NoticeHash(notice)
	if err != nil || hash != manifests.SumSHA256([]byte(`{"en":"It stores numbers."}`)) {
		t.Fatalf("%s, %v", hash, err)
	}
	on := manifests.Collection{Data: "contacts", Purpose: manifests.Text{"en": "messages"}, Default: manifests.On, Stored: manifests.StoredRetained}
	off := on
	off.Default, off.Stored = manifests.Off, manifests.StoredNone
	l, _ := newLog(t)
	add(t, l, receipts.Entry{
		Kind: receipts.Started, Build: 42, From: 41, Release: manifests.SumSHA256([]byte("release")), SignedBy: []string{strings.Repeat("ab", 32)},
		Consent: &receipts.Consent{Notice: hash, Choice: "accepted"}, Why: "Build 42 is open to this handset.", AskedBy: receipts.ByOwner, Rollout: "fix", Planned: 100,
		Label: receipts.CompareLabels(manifests.PrivacyLabel{Collects: []manifests.Collection{on}}, manifests.PrivacyLabel{Collects: []manifests.Collection{off}}),
	}, receipts.Entry{Kind: receipts.VoteSent, Build: 42, Sent: `{"v":1}`})
	c := read(t, l)
	got := c.Entries[0].String() + "\n" + c.Entries[1].String()
	for _, want := range []string{
		"#1 2026-11-21T10:00:00Z  Build 42 was taken up over build 41.", "you asked for it (rollout fix)", "keys abababababab;", hash.Short() + "; answer: accepted",
		"Before: contacts for messages: on by default, stored retained.", "Now: contacts for messages: off by default, stored none.", "planned: 100, spent: 0",
		`says nothing but: {"v":1}`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if receipts.CompareLabels(manifests.PrivacyLabel{Collects: []manifests.Collection{on}}, manifests.PrivacyLabel{Collects: []manifests.Collection{on}}) != nil {
		t.Error("equal labels differ")
	}
}
