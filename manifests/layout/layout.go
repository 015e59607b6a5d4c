// Package layout is the arithmetic of the published tree: which role signs
// what, and under which path and URL each file stands. Publisher, signer and
// handset compute the same names from it and never take one from each other.
//
//	metadata/timestamp.json            the only file that is ever replaced
//	metadata/N.ROLE.json               every other role, immutable
//	targets/releases/PRODUCT/HASH.BUILD.json
//	targets/rollouts/HASH.PRODUCT.json
//	blobs/HASH                         indexes, packs, patches
//	archive/PRODUCT/BUILD.HOW.json     releases that have left their list
//
// It does no I/O. Every argument has been checked by its type, so no path can
// hold "..", an upper-case letter or a separator of its own.
package layout

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/candor-ota/candor/manifests"
)

// The role that signs rollouts, and the file patterns of its delegation.
const (
	RolloutsRole     = "rollouts"
	RolloutsPattern  = "rollouts/*.json"
	releasesPrefix   = "releases-"
	MetadataDir      = "metadata"
	TargetsDir       = "targets"
	BlobsDir         = "blobs"
	TimestampFile    = MetadataDir + "/timestamp.json"
	MaxMetadataBytes = 200 << 10 // of one role; go-tuf decodes 15 MB/s
)

// The signed fields that Candor adds to TUF's metadata.
const (
	FieldIssued  = "x-issued"      // timestamp: when it was made, RFC 3339
	FieldNextBy  = "x-next-by"     // releases-PRODUCT: the makers promise news by then, RFC 3339
	FieldRetires = "x-retires"     // releases-PRODUCT: the builds that this version takes off the list because nobody needs them
	FieldSpare   = "x-spare-votes" // releases-PRODUCT: builds whose votes are cast under the spare keys; see SpareVotes
	FieldHolders = "x-holders"     // role entries: key id to the name of the person who holds it
)

// FreshHeader is a request header, of any value, that asks a server among others
// to see what all of them have published before it answers. People's programs
// send it, so that what one has just submitted is there when the next one looks;
// handsets do not.
const FreshHeader = "Candor-Fresh"

// ReleasesRole is the role that signs the releases of a product.
func ReleasesRole(p manifests.Product) string { return releasesPrefix + string(p) }

// ReleasesRoleProduct tells whose releases a role signs.
func ReleasesRoleProduct(role string) (manifests.Product, bool) {
	name, ok := strings.CutPrefix(role, releasesPrefix)
	if !ok {
		return "", false
	}
	p, err := manifests.ParseProduct(name)
	return p, err == nil
}

// ReleasesPattern is the delegated path pattern of ReleasesRole.
func ReleasesPattern(p manifests.Product) string { return "releases/" + string(p) + "/*.json" }

// ReleasePath is the TUF target path of a release document.
func ReleasePath(p manifests.Product, b manifests.Build) string {
	return "releases/" + string(p) + "/" + b.String() + ".json"
}

// ParseReleasePath is the inverse of ReleasePath.
func ParseReleasePath(path string) (manifests.Product, manifests.Build, error) {
	parts := strings.Split(path, "/")
	if len(parts) == 3 && parts[0] == "releases" {
		p, perr := manifests.ParseProduct(parts[1])
		b, berr := manifests.ParseBuild(strings.TrimSuffix(parts[2], ".json"))
		if perr == nil && berr == nil && ReleasePath(p, b) == path {
			return p, b, nil
		}
	}
	return "", 0, fmt.Errorf("%q is not the path of a release (releases/PRODUCT/BUILD.json)", path)
}

// RolloutsPath is the TUF target path of a product's rollouts document.
func RolloutsPath(p manifests.Product) string { return "rollouts/" + string(p) + ".json" }

// TargetFile is where a target with that path and hash stands in the tree, as
// TUF's consistent snapshots have it.
func TargetFile(path string, hash manifests.SHA256) string {
	dir, base := path[:strings.LastIndexByte(path, '/')+1], path[strings.LastIndexByte(path, '/')+1:]
	return TargetsDir + "/" + dir + hash.String() + "." + base
}

// ParseTargetFile is the inverse of TargetFile.
func ParseTargetFile(file string) (path string, hash manifests.SHA256, ok bool) {
	inside, ok := strings.CutPrefix(file, TargetsDir+"/")
	if !ok {
		return "", manifests.SHA256{}, false
	}
	i := strings.LastIndexByte(inside, '/') + 1
	sum, base, ok := strings.Cut(inside[i:], ".")
	hash, err := manifests.ParseSHA256(sum)
	path = inside[:i] + base
	return path, hash, ok && err == nil && TargetFile(path, hash) == file
}

// MetadataFile is where a version of a role stands in the tree. The timestamp
// has no version in its name.
func MetadataFile(role string, version int64) string {
	if role == "timestamp" {
		return TimestampFile
	}
	return fmt.Sprintf("%s/%d.%s.json", MetadataDir, version, role)
}

// IsRootFile tells whether a path of the tree is that of a root. The next one is
// asked for before it exists; all else that is asked for was named by a file.
func IsRootFile(path string) bool {
	version, isRoot := strings.CutSuffix(strings.TrimPrefix(path, MetadataDir+"/"), ".root.json")
	if !isRoot || !strings.HasPrefix(path, MetadataDir+"/") || version == "" || len(version) > 10 {
		return false
	}
	return strings.Trim(version, "0123456789") == ""
}

var treePath = regexp.MustCompile(`^(` + MetadataDir + `|` + TargetsDir + `)(/[a-z0-9][a-z0-9._-]{0,127}){1,3}$`)

// IsTreePath tells whether a path has the form of one of metadata or of a
// document, wherever it is kept.
func IsTreePath(path string) bool { return treePath.MatchString(path) }

// ETag is the entity tag of a file of the tree: half its hash. A handset sends
// back no other, since a tag that a server may choose is a cookie.
func ETag(body []byte) string { return `"` + manifests.SumSHA256(body).String()[:32] + `"` }

// Left says how a release left its product's list.
type Left string

// The ways: nobody needed it any more (FieldRetires), or its engineers took it
// back.
const (
	Retired   Left = "retired"
	Withdrawn Left = "withdrawn"
)

// ArchiveDir holds releases that have left their list, for ever.
const ArchiveDir = "archive"

// ArchiveFile is where a release is kept after it has left its list.
func ArchiveFile(p manifests.Product, b manifests.Build, how Left) string {
	return ArchiveDir + "/" + string(p) + "/" + b.String() + "." + string(how) + ".json"
}

// ParseArchiveFile is the inverse of ArchiveFile.
func ParseArchiveFile(path string) (manifests.Product, manifests.Build, Left, bool) {
	parts := strings.Split(path, "/")
	if len(parts) != 3 {
		return "", 0, "", false
	}
	number, rest, _ := strings.Cut(parts[2], ".")
	how := Left(strings.TrimSuffix(rest, ".json"))
	p, perr := manifests.ParseProduct(parts[1])
	b, berr := manifests.ParseBuild(number)
	ok := perr == nil && berr == nil && (how == Retired || how == Withdrawn) && ArchiveFile(p, b, how) == path
	return p, b, how, ok
}

// BlobFile is where a blob stands in the tree.
func BlobFile(hash manifests.SHA256) string { return BlobsDir + "/" + hash.String() }
