package partitions

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func FuzzMounts(f *testing.F) {
	for _, seed := range []string{
		"22 1 179:2 / / ro shared:1 - ext4 /dev/root ro\n", "22 1 0:20 / /a\\040b rw - tmpfs tmpfs rw\n23 1 179:2 / /x rw - a b c\n",
		"22 1 179 / /\n", "22 1 4294967296:0 / / ro\n", "\n", "22 1 -1:2 / / ro - a b c",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, info []byte) {
		at, err := mounted(info, Number{179, 2})
		if err == nil && at != "" && !strings.Contains(string(info), at) {
			t.Fatalf("%q is mounted at %q", info, at)
		}
		// What is there is found behind lines that hold.
		if _, err := mounted(info, Number{}); err == nil && at == "" {
			more := fmt.Appendf(nil, "%s\n22 1 179:2 / /found ro - ext4 x ro\n", strings.TrimRight(string(info), "\n"))
			if got, err := mounted(more, Number{179, 2}); err == nil && got != "/found" {
				t.Fatalf("%q: mounted at %q", more, got)
			}
		}
	})
}

func TestThisSystemsMountsAreRead(t *testing.T) {
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if at, err := mounted(info, Number{1 << 20, 1 << 20}); err != nil || at != "" {
		t.Fatal(at, err)
	}
}
