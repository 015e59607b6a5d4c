package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/candor-ota/candor/server/config"
	"github.com/candor-ota/candor/server/overload"
)

func TestLimitsThatAreAbsentAreTheDefaults(t *testing.T) {
	defaults := overload.Defaults(20_000)
	f, err := config.Parse([]byte("{}"))
	if err != nil || f.Limits.Over(defaults) != defaults {
		t.Fatalf("%+v, %v", f.Limits.Over(defaults), err)
	}
	f, err = config.Parse([]byte("limits:\n  connections: 500\n  reports: {atOnce: 7}\n  uploads: {waiting: 0}\n  reportsPerAddress: {perSecond: 9}\n  watch: {streams: 100, heartbeat: 2m}\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := defaults
	want.Connections, want.Reports.AtOnce, want.Uploads.Waiting, want.ReportsPerAddress.PerSecond = 500, 7, 0, 9
	want.Streams, want.Heartbeat = 100, 2*time.Minute
	if got := f.Limits.Over(defaults); got != want {
		t.Errorf("%+v", got)
	}
}

func TestLimitsThatCannotBeAreNamed(t *testing.T) {
	for field, text := range map[string]string{
		"limits.connections":             "connections: -1",
		"limits.reports.atOnce":          "reports: {atOnce: -1}",
		"limits.uploads.waiting":         "uploads: {waiting: 99999999}",
		"limits.reportsPerAddress.burst": "reportsPerAddress: {burst: -1}",
		"limits.watch.streamsPerAddress": "watch: {streamsPerAddress: -1}",
		"limits.watch.heartbeat":         "watch: {heartbeat: 1s}",
		"unknown":                        "unknown: 1",
	} {
		if _, err := config.Parse([]byte("limits: {" + text + "}\n")); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
