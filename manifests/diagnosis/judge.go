package diagnosis

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
)

// Expected is what a metadata file is held against.
type Expected struct {
	Role   string  // "root", "timestamp", "snapshot", "targets" or a delegated role
	File   string  // where it was read, for people
	Tables []Table // each threshold must be met; none: signatures are not judged
	Named  Target  // what the level above signs of it
	Above  string  // who that is: "timestamp", "snapshot"
	Floor  int64   // the version that was verified before
	Now    time.Time
	Limit  int64 // bytes; 0 is MaxMetadataBytes
	// Strict refuses unknown fields, as the signer does; handsets pass over them.
	Strict bool
	// Late waives the end of what the service signs, as a bundle does.
	Late bool
}

// Judge says what holds and what does not. The file is nil if its form does not
// let it be read; else there is at least one finding, and one that holds if
// nothing is wrong.
func (e Expected) Judge(data []byte) (*File, []Finding) {
	f, err := read(data, cmp.Or(e.Limit, layout.MaxMetadataBytes), e.Strict)
	if err != nil {
		return nil, e.unread(data, err)
	}
	if want := typeOf(e.Role); f.Type != want {
		return nil, []Finding{e.finding(WrongKind, "it should be %s, and says that it is %s", want, article(f.Type))}
	}
	var bad []Finding
	for _, check := range []func(*File, []byte) []Finding{e.signatures, e.versions, e.bytes, e.dates} {
		bad = append(bad, check(f, data)...)
	}
	if len(bad) > 0 {
		return f, bad
	}
	return f, []Finding{e.fine(f)}
}

// unread is a file that cannot be read. One that the level above signs with
// other bytes is that before all.
func (e Expected) unread(data []byte, err error) []Finding {
	out := []Finding{e.finding(Malformed, "%s", err)}
	return append(out, e.bytes(nil, data)...)
}

func typeOf(role string) string {
	switch role {
	case "root", "timestamp", "snapshot":
		return role
	}
	return "targets"
}

func article(kind string) string {
	if kind == "targets" {
		return "a list of targets"
	}
	return "a " + kind
}

func (e Expected) finding(k Kind, format string, args ...any) Finding {
	return Finding{Kind: k, Subject: e.Role, File: e.File, Words: fmt.Sprintf(format, args...)}
}

// signatures holds each table's threshold against what is signed.
func (e Expected) signatures(f *File, _ []byte) []Finding {
	seen := map[string]bool{}
	for _, s := range f.Signatures {
		if seen[s.KeyID] {
			return []Finding{e.finding(Malformed, "key %s signs twice; readers refuse the whole file", short(s.KeyID))}
		}
		seen[s.KeyID] = true
	}
	var out []Finding
	for i, t := range e.Tables {
		n := t.count(f)
		if n.valid >= t.Threshold && t.Threshold > 0 {
			continue
		}
		out = append(out, e.unsigned(t, n, i > 0))
	}
	return out
}

// unsigned names the reason why a threshold is not met. before: the table is
// that of the root before.
func (e Expected) unsigned(t Table, n tally, before bool) Finding {
	other, foreign, unknown := names(n.signers, OverOther), names(n.signers, Foreign), names(n.signers, UnknownKind)
	k, words := Threshold, []string{fmt.Sprintf("%d of the %s that %s demands; signed by %s",
		n.valid, count(int64(t.Threshold), "signature"), either(t.By, "its role"), list(names(n.signers, Valid)))}
	switch {
	case before && e.Role == "root":
		k = RootChain
	case len(other) > 0:
		k = OtherBytes
	case len(foreign) > 0:
		k = ForeignKey
	}
	if len(other) > 0 {
		words = append(words, fmt.Sprintf("over other bytes than these: the signature of %s", list(other)))
	}
	if len(foreign) > 0 {
		words = append(words, fmt.Sprintf("not of this role: %s, whose signature does not count", list(foreign)))
	}
	if len(unknown) > 0 {
		words = append(words, fmt.Sprintf("%s cannot be read here: only Ed25519, P-256 and RSA-PSS are", list(unknown)))
	}
	if absent := names(n.signers, Absent); len(absent) > 0 {
		words = append(words, "missing: "+list(absent))
	}
	out := e.finding(k, "%s", strings.Join(words, "; "))
	out.Signers = n.signers
	return out
}

// versions compares with what was seen before and with what the level above says.
func (e Expected) versions(f *File, _ []byte) []Finding {
	switch {
	case f.Version < e.Floor && f.Type == "timestamp" && !e.Now.After(f.Expires):
		return []Finding{e.finding(StaleMirror, "version %d, and version %d was verified before; it counts until %s", f.Version, e.Floor, day(f.Expires))}
	case f.Version < e.Floor:
		return []Finding{e.finding(Rollback, "version %d, and version %d was verified before", f.Version, e.Floor)}
	case e.Named.Version > 0 && f.Version != e.Named.Version:
		return []Finding{e.finding(Mismatch, "version %d, and %s says %d", f.Version, either(e.Above, "its name"), e.Named.Version)}
	}
	return nil
}

// bytes compares length and hash with what the level above signs.
func (e Expected) bytes(f *File, data []byte) []Finding {
	sum := manifests.SumSHA256(data).String()
	switch {
	case f != nil && e.Named.Version > 0 && f.Version != e.Named.Version: // said already
	case e.Named.Length > 0 && int64(len(data)) != e.Named.Length:
		return []Finding{e.finding(Mismatch, "%d bytes, and %s signs %d", len(data), either(e.Above, "the level above"), e.Named.Length)}
	case e.Named.SHA256 != "" && sum != e.Named.SHA256:
		return []Finding{e.finding(Mismatch, "its sha256 is %s…, and %s signs %s…", sum[:12], either(e.Above, "the level above"), short(e.Named.SHA256))}
	}
	return nil
}

// skew is by how much a clock may be off before anybody is told.
const skew = 5 * time.Minute

// dates judges the end, and by a timestamp the clock of this machine.
func (e Expected) dates(f *File, _ []byte) []Finding {
	var out []Finding
	if f.Issued.After(e.Now.Add(skew)) && len(e.signatures(f, nil)) == 0 {
		c := e.finding(Clock, "this machine says that it is %s, and the service signed this at %s, %s later", day(e.Now), day(f.Issued), span(f.Issued.Sub(e.Now)))
		c.Date = at(f.Issued)
		out = append(out, c)
	}
	if !f.Issued.IsZero() && f.Issued.After(f.Expires) {
		out = append(out, e.finding(Malformed, "it says that it was issued at %s, after its own end", day(f.Issued)))
	}
	online := f.Type == "timestamp" || f.Type == "snapshot" || e.Role == layout.RolloutsRole
	if e.Now.After(f.Expires) && (!e.Late || !online) {
		x := e.finding(Expired, "version %d ended on %s, %s ago", f.Version, day(f.Expires), span(e.Now.Sub(f.Expires)))
		x.Date = at(f.Expires)
		out = append(out, x)
	}
	return out
}

func at(t time.Time) *manifests.Time { return new(manifests.At(t)) }

// fine is a file that holds.
func (e Expected) fine(f *File) Finding {
	words := fmt.Sprintf("version %d; counts until %s (%s)", f.Version, day(f.Expires), span(f.Expires.Sub(e.Now)))
	out := Finding{Subject: e.Role, File: e.File, Date: at(f.Expires)}
	if len(e.Tables) == 0 {
		words += "; signatures are not judged, as nothing here says who may sign"
	} else {
		n := e.Tables[0].count(f)
		out.Signers = n.signers
		words += fmt.Sprintf("; signed by %s (%d needed)", list(names(n.signers, Valid)), e.Tables[0].Threshold)
		if foreign := names(n.signers, Foreign, OverOther); len(foreign) > 0 {
			words += fmt.Sprintf("; %s signed too, which does not count", list(foreign))
		}
	}
	out.Words = words
	return out
}
