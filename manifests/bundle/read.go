package bundle

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
)

// Bundle is a bundle whose table of contents holds. Its content is not
// verified. Safe for concurrent use if its reader is.
type Bundle struct {
	Header Header

	r       io.ReaderAt
	members map[string]member
}

type member struct{ at, size int64 }

// Read checks the whole structure of a bundle of that many bytes: every header,
// name, order, padding and the end. It reads no content but the header's.
func Read(r io.ReaderAt, size int64) (*Bundle, error) {
	b := &Bundle{r: r, members: map[string]member{}}
	if err := b.read(size); err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	return b, nil
}

func (b *Bundle) read(size int64) error {
	at, last := int64(0), 0
	for {
		h, err := b.block(at, size)
		if err != nil {
			return err
		}
		if h == [block]byte{} {
			return b.end(at, size)
		}
		name, length, err := parse(h)
		if err != nil {
			return err
		}
		m := member{at + block, length}
		switch p := part(name); {
		case (name == headerName) != (len(b.members) == 0):
			return fmt.Errorf("member %.180q is not where it belongs; %s comes first", name, headerName)
		case p == 0 && name != headerName:
			return fmt.Errorf("member %.180q is no file of the published tree", name)
		case p < last:
			return fmt.Errorf("member %s is out of order: metadata, targets, blobs", name)
		case b.members[name] != member{}:
			return fmt.Errorf("member %s is there twice", name)
		case length <= 0 || length > limit(name):
			return fmt.Errorf("member %s has %d bytes; 1 to %d are allowed", name, length, limit(name))
		case length > size-m.at || padded(length) > size-m.at:
			return fmt.Errorf("the file ends within member %s", name)
		case len(b.members) >= maxMembers:
			return fmt.Errorf("more than %d members", maxMembers)
		default:
			last = p
		}
		b.members[name] = m
		if name == headerName {
			if err := b.readHeader(m); err != nil {
				return fmt.Errorf("%s: %w", headerName, err)
			}
		}
		if err := b.checkPadding(m); err != nil {
			return fmt.Errorf("member %s: %w", name, err)
		}
		at = m.at + padded(length)
	}
}

func (b *Bundle) block(at, size int64) ([block]byte, error) {
	var h [block]byte
	if block > size-at {
		return h, fmt.Errorf("the file ends at byte %d, where more must follow", size)
	}
	if n, err := b.r.ReadAt(h[:], at); n < block {
		return h, err
	}
	return h, nil
}

// end wants two blocks of zeros, and nothing else.
func (b *Bundle) end(at, size int64) error {
	second, err := b.block(at+block, size)
	switch {
	case err != nil:
		return err
	case second != [block]byte{} || at+2*block != size:
		return errors.New("something follows its end")
	case len(b.members) == 0:
		return errors.New("it is empty")
	}
	return nil
}

func (b *Bundle) readHeader(m member) error {
	if m.size > maxHeaderBytes {
		return fmt.Errorf("%d bytes; at most %d are read", m.size, maxHeaderBytes)
	}
	text := make([]byte, m.size)
	if n, err := b.r.ReadAt(text, m.at); n < len(text) {
		return err
	}
	var err error
	b.Header, err = parseHeader(text)
	return err
}

func (b *Bundle) checkPadding(m member) error {
	pad := make([]byte, padded(m.size)-m.size)
	if n, err := b.r.ReadAt(pad, m.at+m.size); n < len(pad) {
		return err
	}
	for _, c := range pad {
		if c != 0 {
			return errors.New("its padding is not zero")
		}
	}
	return nil
}

// File gives the bytes of a member, in place; false if there is none.
func (b *Bundle) File(name string) (*io.SectionReader, bool) {
	m, ok := b.members[name]
	if !ok || name == headerName {
		return nil, false
	}
	return io.NewSectionReader(b.r, m.at, m.size), true
}

// Names lists the members but the header, sorted.
func (b *Bundle) Names() []string {
	names := slices.Sorted(maps.Keys(b.members))
	return slices.DeleteFunc(names, func(n string) bool { return n == headerName })
}
