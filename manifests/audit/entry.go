package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"github.com/candor-ota/candor/manifests"
)

// Entry is one line of the audit log: who did what to which thing, and why.
type Entry struct {
	At      time.Time       // to the second
	Who     string          // token name, or the part of the server that acted
	What    string          // a verb of a closed list of the caller's, such as "rollout.halt"
	Subject string          // what it was done to, such as a rollout's ID
	Why     string          // the person's own words; may be empty
	Detail  json.RawMessage // a JSON object, or empty

	// Set by the ledger.
	Seq  int64            // from 1, without gaps
	Prev manifests.SHA256 // Hash of the entry before; zero for the first
	Hash manifests.SHA256 // Sum of this entry
}

// Sum hashes everything but Hash: the label "candor-audit-v1", then each field
// in the order Seq, At, Who, What, Subject, Why, Detail, Prev, each as
// uint32be(length) and bytes; numbers and times (Unix seconds) as uint64be. An
// entry that is changed, removed or put in between breaks every later hash.
func (e Entry) Sum() manifests.SHA256 {
	h := sha256.New()
	number := func(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }
	for _, f := range [][]byte{
		[]byte("candor-audit-v1"), number(e.Seq), number(e.At.Unix()), []byte(e.Who), []byte(e.What),
		[]byte(e.Subject), []byte(e.Why), e.Detail, e.Prev[:],
	} {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(f))))
		h.Write(f)
	}
	return manifests.SHA256(h.Sum(nil))
}

// MaxLine is the longest line of an export, in bytes.
const MaxLine = 4 << 20

// line is an entry as an export holds it. The hash covers the bytes of Detail,
// so they stand there as they are, or, if JSON would not keep them so, as text.
type line struct {
	Seq        int64            `json:"seq"`
	At         manifests.Time   `json:"at"`
	Who        string           `json:"who"`
	What       string           `json:"what"`
	Subject    string           `json:"subject"`
	Why        string           `json:"why,omitempty"`
	Detail     json.RawMessage  `json:"detail,omitempty"`
	DetailText string           `json:"detailText,omitempty"`
	Prev       manifests.SHA256 `json:"prev"`
	Hash       manifests.SHA256 `json:"hash"`
}

// Line gives the entry as one line of JSON, with its line feed.
func (e Entry) Line() ([]byte, error) {
	l := line{
		Seq: e.Seq, At: manifests.At(e.At), Who: e.Who, What: e.What, Subject: e.Subject, Why: e.Why, Prev: e.Prev, Hash: e.Hash,
	}
	var compact bytes.Buffer
	if len(e.Detail) > 0 && json.Compact(&compact, e.Detail) == nil && bytes.Equal(compact.Bytes(), e.Detail) {
		l.Detail = e.Detail
	} else {
		l.DetailText = string(e.Detail)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false) // it would change Detail
	if err := enc.Encode(l); err != nil {
		return nil, fmt.Errorf("audit entry %d: %w", e.Seq, err)
	}
	return out.Bytes(), nil
}

// Parse reads what Line wrote, with or without its line feed.
func Parse(data []byte) (Entry, error) {
	if len(data) > MaxLine {
		return Entry{}, fmt.Errorf("audit entry: %d bytes; at most %d are read", len(data), MaxLine)
	}
	var l line
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return Entry{}, fmt.Errorf("audit entry: %w", err)
	}
	if rest := bytes.TrimSpace(data[d.InputOffset():]); len(rest) > 0 {
		return Entry{}, fmt.Errorf("audit entry %d: more follows on its line", l.Seq)
	}
	if len(l.Detail) > 0 && l.DetailText != "" {
		return Entry{}, fmt.Errorf("audit entry %d: has a detail twice", l.Seq)
	}
	e := Entry{Seq: l.Seq, At: l.At.Time, Who: l.Who, What: l.What, Subject: l.Subject, Why: l.Why, Detail: l.Detail, Prev: l.Prev, Hash: l.Hash}
	if l.DetailText != "" {
		e.Detail = json.RawMessage(l.DetailText)
	}
	return e, nil
}
