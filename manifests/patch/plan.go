package patch

// segment is a row in the making.
type segment struct {
	kind   Kind // Copy, Zeros, or Plain for data, which may become Patched
	offset int64
	length int32
	from   int64  // of a copy
	window window // of data: what in the old image is likest to it, if anything
}

// window is a stretch of the old image.
type window struct {
	from   int64
	length int32
}

// What the plan does with stretches that are not worth a row of their own: as
// data they cost a few bytes, since the window has them, and a row costs many.
const (
	leastPiece = 8 << 10  // anywhere
	leastGap   = 64 << 10 // between data
)

// plan turns pieces into segments. Should they exceed what a table holds, it
// tries again with longer pieces.
func plan(pieces []piece) []segment {
	for scale := int64(1); ; scale *= 2 {
		segments := cutPieces(joinPieces(pieces, leastPiece*scale, leastGap*scale))
		if len(segments) < MaxRows {
			return withData(segments)
		}
	}
}

// joinPieces makes data of copies and zeros that are too short. What is left is
// at least MinRowBytes long but for the end.
func joinPieces(pieces []piece, least, gap int64) []piece {
	var out []piece
	add := func(p piece) {
		if n := len(out); n > 0 && out[n-1].continues(p) {
			out[n-1].length += p.length
		} else if p.length > 0 {
			out = append(out, p)
		}
	}
	data := func(i int) bool {
		return i >= 0 && i < len(pieces) && (pieces[i].kind == Plain || pieces[i].length < least)
	}
	for i, p := range pieces {
		if data(i) || (p.length < gap && data(i-1) && data(i+1)) {
			p = piece{kind: Plain, length: p.length}
		}
		// data that is too short takes from what follows
		if n := len(out); n > 0 && p.kind != Plain && out[n-1].kind == Plain && out[n-1].length < MinRowBytes {
			take := MinRowBytes - out[n-1].length
			if p.length-take < MinRowBytes {
				take = p.length
			}
			out[n-1].length, p.from, p.length = out[n-1].length+take, p.from+take, p.length-take
		}
		add(p)
	}
	return out
}

// cutPieces cuts pieces into segments of equal length, at most MaxRowBytes.
func cutPieces(pieces []piece) []segment {
	var out []segment
	offset := int64(0)
	for _, p := range pieces {
		for count := (p.length + MaxRowBytes - 1) / MaxRowBytes; count > 0; count-- {
			n := (p.length + count - 1) / count
			out = append(out, segment{kind: p.kind, offset: offset, length: int32(n), from: p.from})
			offset, p.from, p.length = offset+n, p.from+n, p.length-n
		}
	}
	return out
}

// withData makes sure that something is sent, since a blob has at least one
// byte: the last of the image, where everything else is known.
func withData(segments []segment) []segment {
	for _, s := range segments {
		if s.kind == Plain {
			return segments
		}
	}
	last := &segments[len(segments)-1]
	if last.length-1 < MinRowBytes {
		last.kind = Plain
		return segments
	}
	last.length--
	return append(segments, segment{kind: Plain, offset: last.offset + int64(last.length), length: 1})
}
