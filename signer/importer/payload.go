package importer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/candor-ota/candor/manifests"
	format "github.com/candor-ota/candor/manifests/image"
)

// The payload format of update_engine, major version 2: header, manifest
// (protobuf), signature of both, data of the operations. Header numbers are
// big-endian.
const (
	payloadMagic       = "CrAU"
	payloadHeaderBytes = 24
	payloadMajor       = 2
	maxManifestBytes   = 32 << 20
	maxPartitions      = 256
	maxExtents         = 1 << 20 // of a whole payload; operations have at least one each
)

// payload is a full payload whose tables hold.
type payload struct {
	r          io.ReaderAt
	data, size int64 // offset of the operations' data, size of all
	manifest   *manifest
}

// readPayload checks header and manifest: that it is a full payload, and that
// its operations write each block of each partition exactly once.
func readPayload(r io.ReaderAt, size int64) (*payload, error) {
	var h [payloadHeaderBytes]byte
	if err := readAt(r, h[:], 0, size); err != nil {
		return nil, fmt.Errorf("payload header: %w", err)
	}
	if string(h[:4]) != payloadMagic {
		return nil, errors.New("payload header: no payload of update_engine")
	}
	major, length, signature := binary.BigEndian.Uint64(h[4:]), binary.BigEndian.Uint64(h[12:]), binary.BigEndian.Uint32(h[20:])
	switch {
	case major != payloadMajor:
		return nil, fmt.Errorf("payload header: major version %d; this program reads %d", major, payloadMajor)
	case length == 0 || length > maxManifestBytes:
		return nil, fmt.Errorf("payload header: a manifest of %d bytes; 1 to %d are allowed", length, maxManifestBytes)
	case int64(length)+int64(signature) > size-payloadHeaderBytes:
		return nil, fmt.Errorf("payload header: manifest and signature have %d bytes, the file %d", int64(length)+int64(signature), size)
	}
	raw := make([]byte, length)
	if err := readAt(r, raw, payloadHeaderBytes, size); err != nil {
		return nil, fmt.Errorf("payload manifest: %w", err)
	}
	m, err := parseManifest(raw)
	if err != nil {
		return nil, fmt.Errorf("payload manifest: %w", err)
	}
	p := &payload{r: r, data: payloadHeaderBytes + int64(length) + int64(signature), size: size, manifest: m}
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	return p, nil
}

// errIncremental is the word for every sign of a payload that is not full.
func errIncremental(sign string) error {
	return fmt.Errorf("%s: this is an incremental payload, which needs the image before; import the full one of this build", sign)
}

func (p *payload) check() error {
	m := p.manifest
	switch {
	case m.minor != 0:
		return errIncremental(fmt.Sprintf("minor version %d", m.minor))
	case m.oldOperations:
		return errors.New("operations outside of partitions: a payload of major version 1 in disguise")
	case m.block < minSparseBlock || m.block > maxSparseBlock:
		return fmt.Errorf("blocks of %d bytes; %d to %d are allowed", m.block, minSparseBlock, maxSparseBlock)
	case len(m.partitions) == 0 || len(m.partitions) > maxPartitions:
		return fmt.Errorf("%d partitions; 1 to %d are allowed", len(m.partitions), maxPartitions)
	}
	end, room := uint64(0), uint64(p.size-p.data)
	if m.signatures != (blob{}) {
		if m.signatures.offset > room || m.signatures.length > room-m.signatures.offset {
			return errors.New("the signatures lie outside of the file")
		}
		end = m.signatures.offset + m.signatures.length
	}
	for i := range m.partitions {
		part := &m.partitions[i]
		if slices.ContainsFunc(m.partitions[:i], func(q partition) bool { return q.name == part.name }) {
			return fmt.Errorf("partition %s is there twice", part.name)
		}
		last, err := part.check(uint64(m.block), room)
		if err != nil {
			return fmt.Errorf("partition %s: %w", part.name, err)
		}
		end = max(end, last)
	}
	if end != room {
		return fmt.Errorf("%d bytes at the end belong to nothing", room-end)
	}
	return nil
}

// check tells whether the operations cover the partition exactly, and where the
// last of their data ends.
func (p *partition) check(block, room uint64) (end uint64, err error) {
	switch {
	case p.old:
		return 0, errIncremental("it names an old partition")
	case p.hashTree:
		return 0, errors.New("it asks the handset to compute a hash tree or error correction; build the payload with both inside of the image")
	case p.size == 0 || p.size > format.MaxImageBytes || p.size%block != 0:
		return 0, fmt.Errorf("a size of %d bytes; whole blocks of %d bytes, at most %d bytes, are allowed", p.size, block, int64(format.MaxImageBytes))
	case p.hash == nil:
		return 0, errors.New("its new hash is missing, or is no sha256")
	}
	var all []extent
	for i := range p.operations {
		o := &p.operations[i]
		if err := o.check(room, p.size/block); err != nil {
			return 0, fmt.Errorf("operation %d: %w", i, err)
		}
		if o.data.length > 0 {
			end = max(end, o.data.offset+o.data.length)
		}
		all = append(all, o.to...)
	}
	slices.SortFunc(all, func(a, b extent) int {
		if a.start < b.start {
			return -1
		}
		return 1
	})
	next := uint64(0)
	for _, e := range all {
		if e.start < next {
			return 0, fmt.Errorf("block %d is written twice", e.start)
		}
		if e.start > next {
			break
		}
		next = e.start + e.count
	}
	if next != p.size/block {
		return 0, fmt.Errorf("block %d is not written; a full payload writes all of them", next)
	}
	return end, nil
}

func (o *operation) check(room, blocks uint64) error {
	var count uint64
	for _, e := range o.to {
		if e.count == 0 || e.start > blocks || e.count > blocks-e.start {
			return fmt.Errorf("%d blocks from block %d do not lie within the %d blocks of the partition", e.count, e.start, blocks)
		}
		count += e.count // at most maxExtents times blocks, which does not overflow
	}
	switch {
	case !o.kind.known():
		return errIncremental(o.kind.String())
	case o.source:
		return errIncremental(o.kind.String() + " from a source")
	case count == 0 || count > blocks:
		return fmt.Errorf("%s writes %d blocks of %d", o.kind, count, blocks)
	case o.kind.hasData() != (o.data.length > 0):
		return fmt.Errorf("%s with %d bytes of data", o.kind, o.data.length)
	case o.data.offset > room || o.data.length > room-o.data.offset:
		return fmt.Errorf("its data, %d bytes from %d, lies outside of the file", o.data.length, o.data.offset)
	case o.kind.hasData() && o.hash == nil:
		return errors.New("the hash of its data is missing, or is no sha256")
	}
	return nil
}

// images gives the partitions asked for, each once.
func (p *payload) images(only []manifests.Name) ([]image, error) {
	var out []image
	for i := range p.manifest.partitions {
		part := &p.manifest.partitions[i]
		if chosen(only, part.name) {
			out = append(out, image{part.name, int64(part.size), p.writer(part).write})
		}
	}
	for _, name := range only {
		if !slices.ContainsFunc(p.manifest.partitions, func(q partition) bool { return q.name == name }) {
			return nil, fmt.Errorf("the payload has no partition %s", name)
		}
	}
	return out, nil
}
