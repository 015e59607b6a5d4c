package carry

import (
	"errors"
	"regexp"

	"github.com/candor-ota/candor/manifests"
)

// A backup is one file: the magic bytes, then frames of one byte of kind, four
// of length (big endian) and so many bytes:
//
//	H  header, JSON: first, once
//	T  table, JSON: name and columns; its rows follow
//	R  rows (tables.go says how they are written), whole ones, one after another
//	O  object, JSON: name, size and sha256; its bytes follow. No table comes after
//	D  bytes of an object
//	E  end, JSON: last, once: the counts, and the sha256 of every byte before it
//
// The magic names the version of the format; a reader of another refuses it.
const magic = "candor-backup-1\n"

// Bounds of what is read into memory.
const (
	maxHeader = 64 << 10
	maxEnd    = 1 << 20
	maxRows   = 64 << 20 // a head of the tree is one row
	maxData   = 1 << 20
	maxTables = 256
	maxColumn = 64
	rowsFrame = 256 << 10 // rows are written in frames of about this
)

var columnName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

// Header says what a backup is.
type Header struct {
	Made  manifests.Time `json:"made"`
	Blobs bool           `json:"blobs"`           // images are in it too
	Audit string         `json:"audit,omitempty"` // head of the log, SEQ:HASH
}

// End is what a backup amounts to.
type End struct {
	Tables  []Count          `json:"tables"`
	Objects int64            `json:"objects"`
	Bytes   int64            `json:"bytes"` // of objects
	SHA256  manifests.SHA256 `json:"sha256"`
}

type tableFrame struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
}

type objectFrame struct {
	Key    string           `json:"key"`
	Size   int64            `json:"size"`
	SHA256 manifests.SHA256 `json:"sha256"`
}

// ErrBackup means that a file is not a whole, undamaged backup.
var ErrBackup = errors.New("is not a whole backup of this version")
