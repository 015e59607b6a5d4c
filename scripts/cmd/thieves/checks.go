package main

// check is something that stands between a thief and a goal. Where two checks
// guard the same thing, each would stand in for the other, so both go.
type check struct {
	name  string
	goals string // in which the table must turn red
	edits []edit
}

type edit struct{ file, old, without string }

var checks = []check{
	{"the engineers' own role answers for a release", "install", []edit{{
		"client/trust/view.go", "ref, ok, err := w.entry(role, path)", "ref, ok, err := w.entry(layout.RolloutsRole, path)",
	}}},
	{"a document has the bytes that were signed", "install", []edit{{
		"client/trust/view.go", "if int64(len(answer.Body)) != ref.Length || manifests.SumSHA256(answer.Body) != ref.SHA256 {", "if false {",
	}}},
	{"the index is the signed one, and the slot reads back as signed", "install", []edit{
		{"client/install/index.go", "if sha256.Sum256(data) != ref.SHA256 {", "if sum := sha256.Sum256(data); false && sum != ref.SHA256 {"},
		{"client/install/install.go", "if got := manifests.SHA256(h.Sum(nil)); got != m.SHA256 {", "if got := manifests.SHA256(h.Sum(nil)); false {"},
	}},
	{"the signed pace", "pace", []edit{{
		"manifests/rollout/decide.go", "if position >= paced && !free {", "if false && position >= paced && !free {",
	}}},
	{"pace goes by the signed time too", "pace", []edit{{
		"client/trust/client.go", "if pace = now; issued.Before(pace) {", "if pace = now; false {",
	}}},
	{"pace goes by the local clock too", "pace", []edit{{
		"client/trust/client.go", "if pace = now; issued.Before(pace) {", "if pace = issued; false {",
	}}},
	{"only an active rollout installs", "halt", []edit{{
		"manifests/rollout/decide.go", "case r.State.Installable():", "case true:",
	}}},
	{"the pace of a build that was seen halted begins anew", "halt", []edit{{
		"manifests/rollout/handset.go", "again, halted := h.HaltedSeen[r.Build]", "again, halted := h.HaltedSeen[0]",
	}}},
	{"an armed handset looks again before it restarts", "halt", []edit{{
		"client/agent/state_reboot.go", "	if off != nil {\n		// A power cut", "	if false {\n		// A power cut",
	}}},
	{"a release is not taken after its offer has ended", "halt", []edit{{
		"manifests/rollout/decide.go", "case in.Times.Expiry.After(m.OfferUntil.Time):", "case false:",
	}}},
	{"expiry, in the walk and after it", "halt", []edit{
		{"client/trust/client.go", "w.set.RefTime = reference()", "w.set.RefTime = c.Built"},
		{"client/trust/client.go", "if !view.Expiry.Before(view.Expires) {", "if false {"},
		{"client/trust/walk.go", "case equal && before.Signed.IsExpired(w.reference()):", "case false:"},
	}},
	{"nothing goes back behind what was seen: stored files, floors, chain", "halt", []edit{
		{"client/trust/walk.go", "	stored, err := w.store.load(role, limit)\n	if err != nil || stored == nil {", "	stored, err := w.store.load(role, limit)\n	if true {"},
		{"client/trust/floors.go", "f != nil && version < f.Version", "false && version < f.Version"},
		{"client/trust/view.go", "case d.Counter < seen.Counter:", "case false:"},
	}},
	{"builds only rise", "downgrade", []edit{{
		"manifests/rollout/decide.go", "if r.Build <= h.Build {", "if r.Build == h.Build {",
	}}},
	{"the security floor", "downgrade", []edit{{
		"manifests/rollout/decide.go", "case m.SecurityEpoch < h.Floor:", "case false:",
	}}},
	{"the owner's \"later\"", "force", []edit{{
		"manifests/rollout/decide.go", "case in.postponed(offer):", "case false:",
	}}},
	{"the shortest deferral is the signed one", "force", []edit{{
		"manifests/rollout/decide.go", "max(r.Deferral.Duration, m.Urgency.MinDeferral.Duration)", "r.Deferral.Duration",
	}}},
	{"the earliest deadline is the signed one", "force", []edit{{
		"manifests/rollout/decide.go", "if r.Deadline != nil && r.Deadline.After(o.Deadline) {", "if r.Deadline != nil {",
	}}},
	{"expiry goes by the signed time too, in the walk and after it", "force", []edit{
		{"client/trust/client.go", "if !view.Expiry.Before(view.Expires) {", "if false {"},
		{"client/trust/client.go", "reference := func() time.Time { e, _ := c.times(st); return e }", "reference := func() time.Time { now, _ := c.Clock(); return now }"},
	}},
	{"a token is made with the key that the release names", "link", []edit{
		{"manifests/vote/token.go", "out, err := client.Finalize(data, &oprf.Evaluation{Elements: []oprf.Evaluated{e}, Proof: proof})", "_ = proof\n	out, err := oprf.NewClient(suite).Finalize(data, &oprf.Evaluation{Elements: []oprf.Evaluated{e}})"},
	}},
	{"a vote proves its token", "freeze", []edit{{
		"manifests/vote/key.go", "return err == nil && hmac.Equal(want[:], c.MAC[:])", "return err == nil && (true || hmac.Equal(want[:], c.MAC[:]))",
	}}},
	{"the promised day of news", "freeze", []edit{{
		"client/agent/decide.go", "next != nil && a.view.Expiry.After(next.Time)", "next != nil && false",
	}}},
}
