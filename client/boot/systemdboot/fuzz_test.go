package systemdboot

import (
	"fmt"
	"testing"

	"github.com/candor-ota/candor/client/boot"
)

func FuzzEntry(f *testing.F) {
	for _, name := range []string{"candor-a.conf", "candor-b+3.conf", "candor-b+2-1.conf", "candor-b+16.conf", "candor-b+-1.conf", "candor-.conf", "other.conf", "candor-a+1-2-3.conf"} {
		f.Add(name, []byte("sort-key candor\nversion 7\nlinux /x\n"))
	}
	f.Add("candor-a.conf", []byte("version 1\nversion 2\n"))
	f.Add("candor-a.conf", []byte("version 18446744073709551616\n"))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		if e, ours, err := parseName(name); ours && err == nil {
			if e.left < 0 || e.left > boot.MaxTries || e.good && e.left != 0 || e.good && name != goodName(e.slot) {
				t.Fatalf("%q is %+v", name, e)
			}
		}
		if v, err := parseVersion(data); err == nil {
			again, err := parseVersion(fmt.Appendf(nil, "version %d\n", v))
			if err != nil || again != v || v > maxVersion {
				t.Fatalf("%q has version %d, then %d, %v", data, v, again, err)
			}
		}
	})
}
