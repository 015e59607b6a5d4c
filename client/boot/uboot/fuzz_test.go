package uboot

import (
	"testing"

	"github.com/candor-ota/candor/client/boot"
)

func FuzzEnvironment(f *testing.F) {
	for _, seed := range []string{
		"BOOT_ORDER=a b\nBOOT_a_GOOD=1\nbootcmd=run x\n", "BOOT_ORDER=b a\nBOOT_a_GOOD=1\nBOOT_b_LEFT=f\n", "BOOT_ORDER=a\n", "BOOT_ORDER=a b\nBOOT_ORDER=b a\n",
		"BOOT_ORDER=a b c\nBOOT_a_LEFT=-1\n", "BOOT_ORDER=a b\nBOOT_a_LEFT=0x3\n", "multi=one\nBOOT_ORDER\n\x00=\n", "",
	} {
		f.Add([]byte(seed))
	}
	slots := []boot.Slot{"a", "b"}
	f.Fuzz(func(t *testing.T, out []byte) {
		vars, err := parse(out, "BOOT_")
		if err != nil {
			return
		}
		e, err := understand(vars, "BOOT_", slots)
		if err != nil {
			return
		}
		again, err := parse([]byte(e.settings("BOOT_")), "BOOT_")
		if err != nil {
			t.Fatal(err)
		}
		same, err := understand(again, "BOOT_", slots)
		if err != nil || same.settings("BOOT_") != e.settings("BOOT_") {
			t.Fatalf("%q is set as %q, %v", out, e.settings("BOOT_"), err)
		}
		for s, v := range e.slots {
			if v.left < 0 || v.left > boot.MaxTries || v.good && v.left != 0 || v == (slot{}) {
				t.Fatalf("slot %s is %+v", s, v)
			}
		}
	})
}
