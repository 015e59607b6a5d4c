package disk

import (
	"io/fs"
	"os"
	"testing"
)

// The kernel keeps a block device that is mounted, or that another driver holds,
// from being written to, if it is asked to.
func TestBlockDeviceIsOpenedForOneWriterAlone(t *testing.T) {
	for kind, want := range map[fs.FileMode]int{
		fs.ModeDevice | 0o600:                     os.O_RDWR | os.O_EXCL,
		fs.ModeDevice | fs.ModeCharDevice | 0o600: os.O_RDWR,
		0o600: os.O_RDWR, // O_EXCL is not defined for files that exist
		0:     os.O_RDWR, // which is not there
	} {
		if got := flags(Write, kind); got != want {
			t.Errorf("%v: %#x, want %#x", kind, got, want)
		}
		for _, mode := range []Mode{Read, Medium} {
			if got := flags(mode, kind); got != os.O_RDONLY {
				t.Errorf("%v, read: %#x", kind, got)
			}
		}
	}
}
