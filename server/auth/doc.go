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
// Failure. A token that is unknown, expired or revoked is ErrUnauthorized
// without saying which; a known one that may not do it is ErrForbidden.
package auth
