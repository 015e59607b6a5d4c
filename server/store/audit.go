package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
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

// EntryQuery picks entries: of a subject (empty: all), after a sequence
// number, the oldest first, at most Limit (0: all).
type EntryQuery struct {
	Subject string
	After   int64
	Limit   int
}

// Audit is the log of what people and the server did. It only grows.
type Audit interface {
	// Append writes an entry on its own and gives it as recorded.
	Append(ctx context.Context, e Entry) (Entry, error)
	// Entries gives a part of the log.
	Entries(ctx context.Context, q EntryQuery) ([]Entry, error)
	// VerifyAudit walks the whole chain; the error names the first entry that
	// does not fit.
	VerifyAudit(ctx context.Context) error
}
