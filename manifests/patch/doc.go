// Package patch holds the format in which one known image becomes another: a
// table of segments, and a body, the bytes that they need.
//
// The table lists the new image from front to back. A row copies from the old
// image, or is zeros, or takes its bytes from the body: as one zstd frame by
// itself, or as one zstd frame that refers to a window of the old image. Rows
// are at most 1 MiB and stand by themselves, so each is verified before it is
// written, and a download resumes at any of them with one request.
//
// Parties. The signer builds table and body from both images; the release
// carries the table's hash and the body's size, signed offline. A handset
// parses the table only after its hash has held and decodes a segment only
// after its packed bytes match the table, so a mirror, a CDN or the wire never
// reaches the decoder. The old image is not trusted: a slot that changed behind
// our back gives bytes whose hash is refused, one row at a time.
//
// Promises. The same two images give the same bytes, whatever the number of
// workers. Limits are checked before memory is taken: a table is at most
// MaxTableBytes and its rows take less than 6 MiB, a decoder at most 8 MiB.
// There is no I/O here beyond io interfaces.
//
// Failure. A refusal names the field, and the row that it stands in. An error
// while decoding says whom it concerns: ErrMismatch the transport, ErrBase the
// old image, ErrFrame the signer.
package patch
