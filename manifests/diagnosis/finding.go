package diagnosis

import (
	"fmt"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
)

// Finding is one thing that was looked at: that it holds, or why it does not.
type Finding struct {
	Kind    Kind            `json:"kind,omitempty"` // none: it holds
	Subject string          `json:"subject"`        // a role, a document, a part of the handset
	File    string          `json:"file,omitempty"` // where it was read
	Words   string          `json:"words"`
	Signers []Signer        `json:"signers,omitempty"` // by what is listed for the role, then all others
	Date    *manifests.Time `json:"date,omitempty"`    // the one that it turns on
	Means   string          `json:"means,omitempty"`
	Do      string          `json:"do,omitempty"`
	Command string          `json:"command,omitempty"` // to copy
}

// Signer is one key of a role, or of a signature, and what is to be said of it.
type Signer struct {
	KeyID  string      `json:"keyId"`
	Holder string      `json:"holder,omitempty"` // a person; none for keys of the service and of strangers
	State  SignerState `json:"state"`
}

// SignerState says what became of a key's signature.
type SignerState string

// The states.
const (
	Valid       SignerState = "valid"
	Absent      SignerState = "absent"       // may sign, and has not
	OverOther   SignerState = "other-bytes"  // its signature is not over these bytes
	Foreign     SignerState = "foreign"      // signed, and may not
	UnknownKind SignerState = "unknown-kind" // a kind of key that is not read here
)

// name is how a key is spoken of: by the person, and a piece of the id.
func (s Signer) name() string {
	if s.Holder == "" {
		return "key " + short(s.KeyID)
	}
	return fmt.Sprintf("%s (key %s)", s.Holder, short(s.KeyID))
}

func short(id string) string { return id[:min(len(id), 12)] }

func names(signers []Signer, states ...SignerState) []string {
	var out []string
	for _, s := range signers {
		for _, state := range states {
			if s.State == state {
				out = append(out, s.name())
			}
		}
	}
	return out
}

// list joins names as people do.
func list(names []string) string {
	switch len(names) {
	case 0:
		return "nobody"
	case 1:
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// Reader is who reads the advice.
type Reader int

// The readers.
const (
	Maker Reader = iota
	Owner
)

// Place fills the advice; what is not known stays a word to be replaced.
type Place struct {
	Server string // address
	Root   string // file of the trusted root
}

// Advise adds what each finding means and what its reader does about it.
func Advise(findings []Finding, r Reader, at Place) []Finding {
	for i := range findings {
		f := &findings[i]
		c, ok := CaseOf(f.Kind)
		if !ok {
			continue
		}
		advice := c.Maker
		if r == Owner {
			advice = c.Owner
		}
		fill := strings.NewReplacer("{server}", either(at.Server, "https://SERVER"), "{root}", either(at.Root, "1.root.json"),
			"{role}", f.Subject, "{product}", productOf(f.Subject), "{file}", either(f.File, "the file"))
		f.Means = c.Means
		if f.Do == "" {
			f.Do = fill.Replace(advice.Do)
		}
		if f.Command == "" {
			f.Command = fill.Replace(advice.Command.of(f.Subject))
		}
	}
	return findings
}

func either(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// productOf is the product that a subject is about: of a role or a document.
func productOf(subject string) string {
	if p, ok := layout.ReleasesRoleProduct(subject); ok {
		return string(p)
	}
	if p, _, err := layout.ParseReleasePath(subject); err == nil {
		return string(p)
	}
	return "PRODUCT"
}

func (c Commands) of(role string) string {
	by := ""
	switch _, product := layout.ReleasesRoleProduct(role); {
	case role == "root" || role == "targets":
		by = c.Root
	case product:
		by = c.Releases
	case role == layout.RolloutsRole || role == "snapshot" || role == "timestamp":
		by = c.Online
	}
	return either(by, c.Any)
}

// Failing gives the findings that do not hold.
func Failing(findings []Finding) []Finding {
	var out []Finding
	for _, f := range findings {
		if f.Kind != Holds {
			out = append(out, f)
		}
	}
	return out
}

// Lines are a finding as people read it.
func (f Finding) Lines() []string {
	mark := "fine   "
	if f.Kind != Holds {
		mark = "PROBLEM"
	}
	lines := []string{fmt.Sprintf("%s %s: %s", mark, f.Subject, f.Words)}
	if f.Kind == Holds {
		return lines
	}
	if f.Means != "" {
		lines = append(lines, fmt.Sprintf("        (%s) %s", f.Kind, f.Means))
	}
	if f.Do != "" {
		lines = append(lines, "        What to do: "+f.Do)
	}
	if f.Command != "" {
		lines = append(lines, "          "+f.Command)
	}
	return lines
}

// day is a date as people read it, in UTC.
func day(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04") + " UTC" }

// span is a length of time as people say it.
func span(d time.Duration) string {
	switch d = d.Abs(); {
	case d >= 48*time.Hour:
		return count(int64(d/(24*time.Hour)), "day")
	case d >= 2*time.Hour:
		return count(int64(d/time.Hour), "hour")
	case d >= 2*time.Minute:
		return count(int64(d/time.Minute), "minute")
	}
	return count(int64(d/time.Second), "second")
}

func count(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
