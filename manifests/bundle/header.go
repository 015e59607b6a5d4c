package bundle

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/layout"
	"github.com/candor-ota/candor/manifests/strict"
)

// Spec names the form; a change of meaning changes it.
const Spec = "candor-bundle-v1"

// Bounds of a bundle.
const (
	headerName     = "bundle.json"
	maxHeaderBytes = 1 << 10
	maxDocument    = 2 << 20 // of a metadata file or a document
	maxBlob        = 32 << 30
	maxMembers     = 4096
	block          = 512
)

// Header says what a bundle claims to carry. It is not signed: it only says
// where to look.
type Header struct {
	Spec    string            `json:"spec"`
	Product manifests.Product `json:"product"`
	Build   manifests.Build   `json:"build"`
}

func parseHeader(b []byte) (Header, error) {
	var h Header
	if err := strict.Decode(b, maxHeaderBytes, &h); err != nil {
		return h, err
	}
	if h.Spec != Spec {
		return h, fmt.Errorf("it is of form %.40q; this program reads %q", h.Spec, Spec)
	}
	if h.Build == 0 {
		return h, errors.New("it names no build")
	}
	return h, nil
}

// The names that a member may have: those of the published tree.
var nameForms = []*regexp.Regexp{
	regexp.MustCompile(`^` + layout.MetadataDir + `/([1-9][0-9]{0,9}\.[a-z0-9-]{1,73}|timestamp)\.json$`),
	regexp.MustCompile(`^` + layout.TargetsDir + `/(releases/[a-z0-9-]{1,64}|rollouts)/[0-9a-f]{64}\.[a-z0-9-]{1,64}\.json$`),
	regexp.MustCompile(`^` + layout.BlobsDir + `/[0-9a-f]{64}$`),
}

// part tells to which part of a bundle a name belongs, from 1 on; 0 is none.
func part(name string) int {
	for i, form := range nameForms {
		if form.MatchString(name) {
			return i + 1
		}
	}
	return 0
}

// limit is the greatest size of a member.
func limit(name string) int64 {
	if strings.HasPrefix(name, layout.BlobsDir+"/") {
		return maxBlob
	}
	return maxDocument
}
