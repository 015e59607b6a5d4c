// Package image holds the formats in which a raw partition image travels: the
// index, a table of its chunks, and the pack, the chunks themselves.
//
// The image is cut where its content says (FastCDC, with parameters and gear
// table that never change), so that the same bytes give the same chunks in
// every build. The index lists the chunks in image order; a chunk that occurred
// before is a reference to its first occurrence. The pack holds each chunk
// once, in image order, as one zstd frame, or raw where that is no larger: read
// from end to end it is the full image.
//
// Parties. The signer writes both files; the release carries their sizes and
// hashes, signed offline. A handset reads the index only after its hash has
// held, and decodes a chunk only after the packed bytes match the index, so a
// mirror, a CDN or the wire never reaches the decoder.
//
// Promises. The same image gives the same bytes, whatever the number of
// workers. Limits are checked before memory is taken: a parsed index is never
// larger than in proportion to the bytes that were handed in, a decoder takes
// at most 8 MiB. There is no I/O here beyond io interfaces.
//
// Failure. A refusal names the field, and the row that it stands in.
package image
