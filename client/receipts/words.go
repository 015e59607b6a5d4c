package receipts

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/strict"
)

// tidy makes words of others fit to be kept and shown: no control characters,
// no end of line, bounded.
func (e *Entry) tidy() {
	e.Why = clean(e.Why, maxText)
	e.SignedBy = tidyList(e.SignedBy, maxSigners)
	if e.Label != nil {
		e.Label = &Change{From: tidyList(e.Label.From, maxLines), To: tidyList(e.Label.To, maxLines)}
	}
	if e.Consent != nil {
		c := *e.Consent
		c.Choice = clean(c.Choice, maxLine)
		e.Consent = &c
	}
}

const maxLine = 200 // bytes of a line of a label, or a key id

func tidyList(list []string, most int) []string {
	out := slices.Clone(list[:min(len(list), most)])
	for i := range out {
		out[i] = clean(out[i], maxLine)
	}
	return out
}

func clean(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r == '\n' || r == utf8.RuneError || strict.CheckText("", string(r)) != nil {
			return ' '
		}
		return r
	}, s)
	if len(s) <= most {
		return s
	}
	s = s[:most-len("…")]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "…"
}

// CompareLabels compares two privacy labels. It gives nil when they say the same.
func CompareLabels(from, to manifests.PrivacyLabel) *Change {
	c := Change{From: from.Words("en"), To: to.Words("en")}
	if slices.Equal(c.From, c.To) {
		return nil
	}
	return &c
}

// NoticeHash is how a notice is named in a receipt: SHA-256 of its canonical
// JSON, all languages. No notice gives zero.
func NoticeHash(notice manifests.Text) (manifests.SHA256, error) {
	if len(notice) == 0 {
		return manifests.SHA256{}, nil
	}
	data, err := strict.Canonical(notice)
	return manifests.SumSHA256(data), err
}

var sayings = map[Kind]string{
	Started:     "Build %[1]d was taken up over build %[2]d.",
	Installed:   "Build %[1]d was installed over build %[2]d and is healthy.",
	RolledBack:  "Build %[1]d did not prove itself; build %[2]d runs again.",
	FellBack:    "Build %[1]d had proved itself but no longer boots; build %[2]d runs.",
	Failed:      "Build %[1]d could not be installed.",
	CalledOff:   "Build %[1]d was called off before the restart.",
	LabelChange: "What is collected changed with build %[1]d, from build %[2]d.",
	Accepted:    "You accepted build %[1]d.",
	Declined:    "You declined build %[1]d.",
	Wish:        "You asked:",
	ReportsOn:   "You let outcomes of updates be reported.",
	ReportsOff:  "You ended reporting; its keys, tokens and waiting votes are destroyed.",
	Enrolment:   "The service was told of this handset's device key and factory credential.",
	TokenAsked:  "The service was asked for a token to vote on build %[1]d; that says this handset exists.",
	VoteSent:    "A vote on build %[1]d was sent, which says nothing but:",
	Withdrawal:  "The service deleted the enrolment.",
	LabOn:       "You put this handset in lab mode: from now on it reports by name, and casts no votes.",
	LabOff:      "You took this handset out of lab mode; its lab id is destroyed.",
	NamedSent:   "A report on build %[1]d was sent by name:",
	Warning:     "Warning:",
	Anchor:      "Earlier entries are not here.",
	PowerCut:    "A line was not finished.",
}

// String is the entry in plain words, for its owner; further lines are
// indented.
func (e *Entry) String() string {
	when := "at an unknown time"
	if e.Time != nil {
		when = e.Time.String()
	}
	saying, known := sayings[e.Kind]
	if !known {
		saying = fmt.Sprintf("Noted by a newer version of the agent (%s).", e.Kind)
	}
	if strings.Contains(saying, "%[2]d") {
		saying = fmt.Sprintf(saying, e.Build, e.From)
	} else if strings.Contains(saying, "%[1]d") {
		saying = fmt.Sprintf(saying, e.Build)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "#%d %s  %s", e.Seq, when, strings.TrimSpace(saying+" "+e.Sent))
	for _, d := range e.details() {
		b.WriteString("\n    " + d)
	}
	return b.String()
}

func (e *Entry) details() []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if e.Why != "" {
		add("%s", e.Why)
	}
	switch {
	case e.AskedBy == ByOwner && e.Rollout == "":
		add("Now, because you chose it from a bundle.")
	case e.AskedBy == ByOwner:
		add("Now, because you asked for it (rollout %s).", e.Rollout)
	case e.AskedBy == ByRollout:
		add("Now, because the maker's rollout %s reached this handset.", e.Rollout)
	}
	if len(e.SignedBy) > 0 {
		add("Signed offline by keys %s; document %s.", strings.Join(short(e.SignedBy), ", "), e.Release.Short())
	}
	if c := e.Consent; c != nil && c.Notice.IsZero() {
		add("Notice: none was shown; answer: %s.", c.Choice)
	} else if c != nil {
		add("Notice %s; answer: %s.", c.Notice.Short(), c.Choice)
	}
	if e.Label != nil {
		add("Before: %s.", orNothing(e.Label.From))
		add("Now: %s.", orNothing(e.Label.To))
	}
	if e.Planned > 0 || e.Spent > 0 {
		add("Bytes planned: %d, spent: %d.", e.Planned, e.Spent)
	}
	return out
}

func short(ids []string) []string {
	out := slices.Clone(ids)
	for i := range out {
		out[i] = out[i][:min(12, len(out[i]))]
	}
	return out
}

func orNothing(lines []string) string {
	if len(lines) == 0 {
		return manifests.CollectsNothing
	}
	return strings.Join(lines, "; ")
}
