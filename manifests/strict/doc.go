// Package strict reads and writes the JSON that Candor signs.
//
// encoding/json is generous: it takes unknown fields when asked to, matches
// names without regard to case, lets the last of two equal keys win, turns
// null into a zero value and rounds numbers. Each of these lets two parties
// read different things out of the same signed bytes. Decode therefore walks
// the text itself and refuses, naming the field and the reason:
// unknown, missing and repeated fields, null, floats and exponents, numbers
// out of range, invalid UTF-8, control and bidirectional-override characters,
// text beyond the limit, nesting beyond MaxDepth, and trailing data.
//
// Canonical writes one byte sequence per value (keys sorted, no white space,
// shortest escapes, as RFC 8785 does for the subset without floats), so that
// documents can be compared by hash.
//
// The package does no I/O and reads no clock.
package strict
