// Package rollout is the document by which the online service opens a release
// to handsets, and Decide, the one pure function that reads it.
//
// The document is signed by an online key, so a thief of that key is assumed:
// nothing in it can widen what the release signs. A handset's place in the
// order (Position) comes from its own secret and the signed product and build;
// its share is the lesser of the rollout's and the release's pace; urgency,
// deadlines and deferrals are clamped to what the release allows. Documents
// are chained by hash, so that a view made for one person stays a fork for
// ever, which two handsets side by side can see.
//
// Handset, server preview and simulator call the same Decide. It does no I/O
// and reads no clock.
package rollout
