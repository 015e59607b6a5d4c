// Package api is the HTTP contract between the programs: openapi.yaml, the
// types and client generated from it, and the codes of its problems.
//
// The document is the source; api.gen.go is made from it by
// `go generate ./manifests/api`, and the check script fails when the two
// differ. Codes are append-only: clients branch on them.
package api

import _ "embed"

//go:generate go tool -modfile=../../scripts/tools/go.mod oapi-codegen -config config.yaml openapi.yaml

// Spec is the contract itself, for servers that validate requests by it.
//
//go:embed openapi.yaml
var Spec []byte
