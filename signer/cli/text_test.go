package cli_test

import (
	"testing"

	"github.com/candor-ota/candor/signer/cli"
)

func TestForeignTextDoesNotMoveTheCursor(t *testing.T) {
	if got := cli.Clean("a\x1b[2J\u202eb\u0085\n\u4fee\u590d"); got != "a\ufffd[2J\ufffdb\ufffd\n\u4fee\u590d" {
		t.Errorf("%q", got)
	}
	if got := cli.Line("two\nlines"); got != "two lines" {
		t.Errorf("%q", got)
	}
}
