package store

import (
	"fmt"
	"regexp"
	"strings"
)

// MaxKey is the longest name of an object, in bytes.
const MaxKey = 512

var segment = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,127}$`)

// CheckKey refuses names that could mean something to a file system: only
// segments of [a-z0-9][a-z0-9._-]{0,127} joined by single slashes pass, so no
// empty segment, no dot first, no upper case, no backslash, no percent.
func CheckKey(key string) error {
	if len(key) > MaxKey {
		return fmt.Errorf("object name of %d bytes; at most %d", len(key), MaxKey)
	}
	for s := range strings.SplitSeq(key, "/") {
		if !segment.MatchString(s) {
			return fmt.Errorf("object name %q: segment %q is not [a-z0-9][a-z0-9._-]{0,127}", key, s)
		}
	}
	return nil
}

// CheckPrefix refuses a prefix that is neither empty nor a checked name
// followed by "/".
func CheckPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	name, ok := strings.CutSuffix(prefix, "/")
	if !ok {
		return fmt.Errorf("object prefix %q does not end in \"/\"", prefix)
	}
	return CheckKey(name)
}
