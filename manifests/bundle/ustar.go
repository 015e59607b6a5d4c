package bundle

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Fields of a ustar header (POSIX.1-1988), by offset and length.
const (
	nameEnd    = 100
	sizeAt     = 124
	sizeEnd    = 136
	sumAt      = 148
	prefixAt   = 345
	prefixEnd  = 500
	octalLimit = 1 << 33 // sizes from here on are binary, as in GNU tar
)

// header gives the only header that a member of that name and size may have:
// mode 0644, nobody's, made at the beginning of time.
func header(name string, size int64) [block]byte {
	var h [block]byte
	cut := strings.LastIndexByte(name, '/')
	copy(h[prefixAt:prefixEnd], name[:max(cut, 0)])
	copy(h[:nameEnd], name[cut+1:])
	copy(h[100:], "0000644\x000000000\x000000000\x00")
	putSize(h[sizeAt:sizeEnd], size)
	copy(h[136:], "00000000000\x00")
	h[156] = '0'
	copy(h[257:], "ustar\x0000")
	copy(h[sumAt:], "        ")
	sum := 0
	for _, b := range h {
		sum += int(b)
	}
	copy(h[sumAt:], fmt.Sprintf("%06o\x00 ", sum))
	return h
}

func putSize(field []byte, size int64) {
	if size < octalLimit {
		copy(field, fmt.Sprintf("%011o\x00", size))
		return
	}
	field[0] = 0x80
	for i := len(field) - 1; size > 0; i-- {
		field[i] = byte(size)
		size >>= 8
	}
}

// parse reads name and size of a header, and refuses any header but theirs.
func parse(h [block]byte) (name string, size int64, err error) {
	text := func(from, to int) string {
		s, _, _ := strings.Cut(string(h[from:to]), "\x00")
		return s
	}
	name = text(0, nameEnd)
	if prefix := text(prefixAt, prefixEnd); prefix != "" {
		name = prefix + "/" + name
	}
	if field := h[sizeAt:sizeEnd]; field[0] == 0x80 {
		for _, b := range field[4:] {
			size = size<<8 | int64(b)
		}
	} else if size, err = strconv.ParseInt(text(sizeAt, sizeEnd), 8, 64); err != nil {
		return "", 0, errors.New("the size of a member is no number")
	}
	if size < 0 || header(name, size) != h {
		return "", 0, fmt.Errorf("the header of member %.180q is not the one that its name and size have", name)
	}
	return name, size, nil
}

// padded is how many bytes a member takes besides its header.
func padded(size int64) int64 { return (size + block - 1) / block * block }
