package event

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/strict"
)

// Part is the hash of one part of a proposal that all signers see the same.
type Part struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
}

// The names of parts; "role ROLE" is the rest.
const (
	partAbout     = "about"     // kind, product, build and date
	partRoots     = "roots"     // of the base
	partTargets   = "targets"   // of the base
	partReleases  = "releases"  // of the base
	partLive      = "live"      // live releases of the base
	partDocuments = "documents" // new ones
	partRole      = "role "
)

// maxParts bounds the parts that a statement names.
const maxParts = 16

// ErrAltered means that a proposal is not what somebody signed.
var ErrAltered = errors.New("altered after it was signed")

// Parts hashes everything in a proposal but what people said about it.
func (p *Proposal) Parts() ([]Part, error) {
	about := struct {
		Format  string            `json:"format"`
		Kind    Kind              `json:"kind"`
		Product manifests.Product `json:"product"`
		Build   manifests.Build   `json:"build"`
		Created string            `json:"created"`
	}{p.Format, p.Kind, p.Product, p.Build, p.Created}
	out := make([]Part, 0, maxParts)
	for _, part := range []struct {
		name  string
		value any
	}{
		{partAbout, about},
		{partRoots, p.Base.Roots},
		{partTargets, p.Base.Targets},
		{partReleases, p.Base.Releases},
		{partLive, p.Base.Documents},
		{partDocuments, p.Documents},
	} {
		data, err := strict.Canonical(part.value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", part.name, err)
		}
		out = append(out, Part{part.name, hexSum(data)})
	}
	for _, r := range p.Roles {
		out = append(out, Part{partRole + r.Name, hexSum([]byte(r.Signed))})
	}
	return out, nil
}

// Hash names a proposal: 64 hex digits, the same for every copy of it whatever
// people have said about it.
func (p *Proposal) Hash() (string, error) {
	parts, err := p.Parts()
	if err != nil {
		return "", err
	}
	data, err := strict.Canonical(parts)
	if err != nil {
		return "", err
	}
	return hexSum(data), nil
}

func hexSum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// sayings puts the parts into words.
var sayings = map[string]string{
	partAbout: "what it is about (kind, product, build or date)", partRoots: "the roots that it starts from",
	partTargets: "the published targets that it starts from", partReleases: "the published list of releases that it starts from",
	partLive: "the live releases that it is compared with", partDocuments: "the release document",
}

// Differences says in words which parts of two copies are not the same; empty
// means that they are copies of one proposal.
func Differences(a, b []Part) string {
	var words []string
	name := func(part string) {
		if role, ok := strings.CutPrefix(part, partRole); ok {
			words = append(words, "the metadata of "+role)
		} else {
			words = append(words, sayings[part])
		}
	}
	for _, x := range a {
		if !slices.Contains(b, x) {
			name(x.Name)
		}
	}
	for _, y := range b {
		if !slices.ContainsFunc(a, func(x Part) bool { return x.Name == y.Name }) {
			name(y.Name)
		}
	}
	return strings.Join(words, ", ")
}
