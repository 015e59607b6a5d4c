//go:build !linux

package partitions

import "errors"

// NumberOf knows block devices on Linux alone.
func NumberOf(string) (Number, error) { return Number{}, errors.ErrUnsupported }
