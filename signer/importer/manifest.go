package importer

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/candor-ota/candor/manifests"
)

// manifest is what the program reads of a DeltaArchiveManifest, as defined in
// update_engine's update_metadata.proto.
type manifest struct {
	block         int64
	minor         uint64
	signatures    blob
	oldOperations bool
	partitions    []partition
}

// blob is a range of the payload's data.
type blob struct{ offset, length uint64 }

type partition struct {
	name       manifests.Name
	size       uint64
	hash       *manifests.SHA256
	old        bool // an old partition is named
	hashTree   bool // the handset is to compute a hash tree or error correction
	operations []operation
}

type operation struct {
	kind   kind
	data   blob
	to     []extent
	hash   *manifests.SHA256
	source bool
}

// extent is a run of blocks.
type extent struct{ start, count uint64 }

// kind is the type of an operation.
type kind uint64

// The operations of full payloads.
const (
	replace   kind = 0
	replaceBZ kind = 1
	zero      kind = 6
	discard   kind = 7
	replaceXZ kind = 8
)

var kinds = map[kind]string{
	replace: "REPLACE", replaceBZ: "REPLACE_BZ", zero: "ZERO", discard: "DISCARD", replaceXZ: "REPLACE_XZ",
	2: "MOVE", 3: "BSDIFF", 4: "SOURCE_COPY", 5: "SOURCE_BSDIFF", 9: "PUFFDIFF", 10: "BROTLI_BSDIFF",
	11: "ZUCCHINI", 12: "LZ4DIFF_BSDIFF", 13: "LZ4DIFF_PUFFDIFF",
}

func (k kind) String() string {
	if name, ok := kinds[k]; ok {
		return name
	}
	return fmt.Sprintf("operation type %d", uint64(k))
}

func (k kind) hasData() bool { return k == replace || k == replaceBZ || k == replaceXZ }
func (k kind) known() bool   { return k.hasData() || k == zero || k == discard }

// field is one field of a message: a number, or bytes.
type field struct {
	number protowire.Number
	value  uint64
	bytes  []byte
}

// fields walks a message. Fields that are neither numbers nor bytes, which the
// format does not have, are passed over.
func fields(b []byte, do func(field) error) error {
	for len(b) > 0 {
		number, wire, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		f := field{number: number}
		switch wire {
		case protowire.VarintType:
			f.value, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(b)
			if n >= 0 && f.bytes == nil {
				f.bytes = []byte{}
			}
		default:
			n = protowire.ConsumeFieldValue(number, wire, b)
			f.number = 0
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if f.number == 0 {
			continue
		}
		if err := do(f); err != nil {
			return err
		}
	}
	return nil
}

// manifestParser counts extents over the whole payload, to bound the memory.
type manifestParser struct{ extents int }

func parseManifest(b []byte) (*manifest, error) {
	m, p := &manifest{block: 4096}, &manifestParser{}
	err := fields(b, func(f field) error {
		switch f.number {
		case 1, 2:
			m.oldOperations = true
		case 3:
			m.block = int64(min(f.value, 1<<32))
		case 4:
			m.signatures.offset = f.value
		case 5:
			m.signatures.length = f.value
		case 12:
			m.minor = f.value
		case 13:
			part, err := p.partition(f.bytes)
			if err != nil {
				return fmt.Errorf("partition %d: %w", len(m.partitions), err)
			}
			m.partitions = append(m.partitions, part)
		}
		return nil
	})
	return m, err
}

func (p *manifestParser) partition(b []byte) (partition, error) {
	var out partition
	err := fields(b, func(f field) (err error) {
		switch f.number {
		case 1:
			out.name, err = manifests.ParseName(string(f.bytes))
		case 6:
			out.old = true
		case 7:
			err = out.newInfo(f.bytes)
		case 8:
			var o operation
			if o, err = p.operation(f.bytes); err != nil {
				return fmt.Errorf("operation %d: %w", len(out.operations), err)
			}
			out.operations = append(out.operations, o)
		case 10, 11, 14, 15:
			out.hashTree = true
		}
		return err
	})
	if err == nil && out.name == "" {
		err = errors.New("its name is missing")
	}
	return out, err
}

func (p *partition) newInfo(b []byte) error {
	return fields(b, func(f field) error {
		switch f.number {
		case 1:
			p.size = f.value
		case 2:
			p.hash = sum(f.bytes)
		}
		return nil
	})
}

func (p *manifestParser) operation(b []byte) (operation, error) {
	var o operation
	err := fields(b, func(f field) error {
		switch f.number {
		case 1:
			o.kind = kind(f.value)
		case 2:
			o.data.offset = f.value
		case 3:
			o.data.length = f.value
		case 4, 9:
			o.source = true
		case 6:
			if p.extents++; p.extents > maxExtents {
				return fmt.Errorf("more than %d extents in all", maxExtents)
			}
			e, err := parseExtent(f.bytes)
			o.to = append(o.to, e)
			return err
		case 8:
			o.hash = sum(f.bytes)
		}
		return nil
	})
	if err == nil && len(o.to) == 0 {
		err = errors.New("it writes nothing")
	}
	return o, err
}

func parseExtent(b []byte) (extent, error) {
	var e extent
	return e, fields(b, func(f field) error {
		switch f.number {
		case 1:
			e.start = f.value
		case 2:
			e.count = f.value
		}
		return nil
	})
}

// sum reads a sha256; nil is none.
func sum(b []byte) *manifests.SHA256 {
	if len(b) != sha256.Size {
		return nil
	}
	return new(manifests.SHA256(b))
}
