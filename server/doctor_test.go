package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDoctorEndsWithWhatItFound(t *testing.T) {
	dir := made(t)
	out, err := command(t, "doctor", "--data", dir)
	if codeOf(err) != exitWarn || !strings.Contains(out, "no root of trust yet") || !strings.Contains(out, "      -> have the engineers sign and publish") {
		t.Errorf("%v\n%s", err, out)
	}
	if err := os.Remove(filepath.Join(dir, "keys", "timestamp.pem")); err != nil {
		t.Fatal(err)
	}
	out, err = command(t, "doctor", "--data", dir, "--json")
	var said struct {
		Worst    string
		Findings []struct{ Check, Level, Says, Do string }
	}
	if codeOf(err) != exitFail || json.Unmarshal([]byte(out), &said) != nil || said.Worst != "fail" || len(said.Findings) < 5 {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := command(t, "doctor"); codeOf(err) != 2 {
		t.Errorf("without a directory: %v", err)
	}
}
