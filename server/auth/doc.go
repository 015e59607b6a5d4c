// Package auth says who may do what on the operator API.
//
// Parties. A person signs in at the owner's OpenID Connect provider; a machine,
// or a person at a command line, sends a token as a bearer. A token is
// "candor_" and 32 random bytes; the ledger keeps its SHA-256 only, so whoever
// reads the ledger cannot act. Handsets have neither and need neither.
//
// Grants. A grant is a role (viewer, engineer, operator, admin) for some or all
// products. The permissions that it gives are in role.go; a token may be scoped
// to fewer.
//
// Persons. Every identity has a Person: the provider's issuer and subject, or
// the owner of the token. Rules about two different people compare persons.
// A token made over the API belongs to who made it, so that nobody makes
// himself a second person; one for somebody else is made on the server's own
// machine, where whoever has the command line has the ledger too.
//
// Signing in. OpenID Connect, authorization code with PKCE (RFC 7636). The
// secret of an attempt is in the browser's cookie; state, nonce and verifier
// are derived from it, and the ledger knows its hash, once, for ten minutes. The
// ID token must be signed by the configured issuer, for us, now, with our nonce.
// A session is 32 random bytes in a cookie, of which the ledger knows the hash;
// what it asks to be changed must come from our own pages (CheckOurs).
//
// With a token. A browser may begin a session with an API token instead. The
// session belongs to the token: each request looks at it again, so what ends
// the token ends the session, and grants and scope are the token's. It begins
// from our own pages only, and wrong tokens cost tries as they do anywhere.
//
// Failure. A provider that is down is ErrProviderDown and stops signing in
// only. What precisely was wrong with a sign-in (ErrSignInFailed) is for the
// log. Who tries too often gets a TooManyError. A token or session that
// is unknown, expired or ended is ErrUnauthorized without saying which; a known
// one that may not do it is ErrForbidden.
package auth
