// Package interop holds what Candor publishes against TUF implementations that
// others wrote. It has tests alone: tuf-js, a whole client, refreshes and fetches
// from a real server through run; python3-securesystemslib, the base of
// python-tuf, verifies canonical form, key ids and signatures through verify.py.
//
// Versions are pinned in package-lock.json, and the system's for Python;
// scripts/test installs what is missing. What these refuse although Candor
// accepts it is Candor's defect.
package interop
