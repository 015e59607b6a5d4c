// Package scripts holds what is run around the product: the demo, the tests,
// the checks, the benches (each an executable here, with its Go code below
// cmd/), the whole system in one process (world/), a fleet on virtual time,
// and one that loads a real server (`go run ./scripts/fleet` prints what they
// do), the OpenID Connect provider at which tests sign in (oidc/), and the house
// rules, which are the tests of this package.
package scripts
