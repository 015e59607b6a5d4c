package vote_test

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/candor-ota/candor/manifests/strict"
	"github.com/candor-ota/candor/manifests/vote"
)

func pair(t *testing.T) (vote.DeviceKey, ed25519.PrivateKey) {
	t.Helper()
	pub, priv, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return vote.DeviceKey(pub), priv
}

func TestIssueRequestNeedsBothKeys(t *testing.T) {
	id, device := pair(t)
	cred, credential := pair(t)
	_, blinded := pending(t)
	r := vote.IssueRequest{Product: "phone", Build: 43, Class: vote.Trial, Set: vote.Primary, Blinded: blinded, DeviceKey: id, Credential: "pem"}
	r.Sign(device, credential)
	if !r.SignedByDevice() || !r.SignedBy(cred[:]) {
		t.Fatal("a genuine request was refused")
	}
	for name, change := range map[string]func(r *vote.IssueRequest){
		"product": func(r *vote.IssueRequest) { r.Product = "phono" },
		"build":   func(r *vote.IssueRequest) { r.Build++ },
		"class":   func(r *vote.IssueRequest) { r.Class = vote.Attempt },
		"set":     func(r *vote.IssueRequest) { r.Set = vote.Spare },
		"element": func(r *vote.IssueRequest) { r.Blinded[0] ^= 1 },
		"swapped": func(r *vote.IssueRequest) {
			r.DeviceSignature, r.CredentialSignature = r.CredentialSignature, r.DeviceSignature
		},
	} {
		bad := r
		change(&bad)
		if bad.SignedByDevice() || bad.SignedBy(cred[:]) {
			t.Errorf("%s: the signatures still hold", name)
		}
	}
	same := r
	same.Sign(device, device)
	if same.SignedBy(cred[:]) || same.DeviceSignature == same.CredentialSignature {
		t.Error("the two signatures are over the same bytes")
	}
}

func TestEnrolmentBindsTheDeviceKey(t *testing.T) {
	id, device := pair(t)
	cred, credential := pair(t)
	r := vote.EnrolRequest{DeviceKey: id, Credential: "pem"}
	r.Sign(credential)
	if !r.SignedBy(cred[:]) {
		t.Fatal("a genuine enrolment was refused")
	}
	bad := r
	bad.DeviceKey[0] ^= 1
	if bad.SignedBy(cred[:]) {
		t.Error("the enrolment holds for another device key")
	}
	w := vote.WithdrawRequest{DeviceKey: id}
	w.Sign(device)
	if !w.Signed() {
		t.Error("a genuine withdrawal was refused")
	}
	w.Signature = r.Signature
	if w.Signed() {
		t.Error("an enrolment's signature withdraws")
	}
}

func TestLabReportIsSigned(t *testing.T) {
	id, device := pair(t)
	r := vote.LabReport{Product: "phone", Build: 43, Class: vote.Trial, Vote: good, DeviceKey: id}
	if err := r.Sign(device); err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	back, err := vote.ParseLab(body)
	if err != nil || !back.Signed() {
		t.Fatalf("a genuine report was refused: %v", err)
	}
	back.Vote.Attempts = vote.AttemptsMany
	if back.Signed() {
		t.Error("the signature holds for another vote")
	}
}

func TestMessagesAreReadToTheLetter(t *testing.T) {
	id, device := pair(t)
	_, blinded := pending(t)
	issue := vote.IssueRequest{Product: "phone", Build: 43, Class: vote.Trial, Set: vote.Primary, Blinded: blinded, DeviceKey: id, Credential: "pem"}
	issue.Sign(device, device)
	c := cast(t, key(t, master, ref, vote.Trial, vote.Primary))
	roundTrip(t, vote.ParseIssue, &issue)
	roundTrip(t, vote.ParseCast, &c)
	roundTrip(t, vote.ParseEnrol, &vote.EnrolRequest{DeviceKey: id, Credential: "a\nb"})
	roundTrip(t, vote.ParseWithdraw, &vote.WithdrawRequest{DeviceKey: id})
	roundTrip(t, vote.ParseIssued, &vote.IssueResponse{})

	body, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []struct{ name, old, new, field string }{
		{"product", `"phone"`, `"../x"`, "product"},
		{"build zero", `"build":43`, `"build":0`, "build"},
		{"build float", `"build":43`, `"build":43.0`, "build"},
		{"class", `"class":"trial"`, `"class":"Trial"`, "class"},
		{"class and vote", `"class":"trial"`, `"class":"refusal"`, "vote.outcome"},
		{"vote", `"reason":"none"`, `"reason":"power"`, "vote.reason"},
		{"name in another case", `"nonce"`, `"Nonce"`, "nonce"},
		{"a field too many", `"nonce"`, `"at":1,"nonce"`, "at"},
	} {
		_, err := vote.ParseCast([]byte(strings.Replace(string(body), m.old, m.new, 1)))
		wantField(t, m.name, err, m.field)
	}
	text, _ := c.Nonce.MarshalText()
	for name, nonce := range map[string]string{
		"short": string(text[4:]), "line break": string(text[:20]) + `\n` + string(text[20:]),
		"url alphabet": strings.Repeat("_", 43) + "=", "loose bits": strings.Repeat("A", 42) + "B=", "no padding": string(text[:43]),
	} {
		_, err := vote.ParseCast([]byte(strings.Replace(string(body), string(text), nonce, 1)))
		wantField(t, "nonce "+name, err, "nonce")
	}
}

func wantField(t *testing.T, name string, err error, field string) {
	t.Helper()
	var f *strict.FieldError
	if !errors.As(err, &f) || f.Path != field {
		t.Errorf("%s: got %v; want field %q refused", name, err, field)
	}
}

func roundTrip[T any](t *testing.T, parse func([]byte) (*T, error), m *T) {
	t.Helper()
	body, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	back, err := parse(body)
	if err != nil || !reflect.DeepEqual(back, m) {
		t.Errorf("%s came back as %+v, %v", body, back, err)
	}
}

func FuzzParseMessages(f *testing.F) {
	f.Add([]byte(`{"product":"phone","build":1,"class":"attempt","set":"primary","nonce":"","vote":{"v":1},"mac":""}`))
	f.Add([]byte(`{"deviceKey":"","credential":"","credentialSignature":""}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := vote.ParseCast(data); err == nil {
			roundTrip(t, vote.ParseCast, c)
		}
		if i, err := vote.ParseIssue(data); err == nil {
			roundTrip(t, vote.ParseIssue, i)
		}
		if e, err := vote.ParseEnrol(data); err == nil {
			roundTrip(t, vote.ParseEnrol, e)
		}
		if l, err := vote.ParseLab(data); err == nil {
			roundTrip(t, vote.ParseLab, l)
		}
	})
}
