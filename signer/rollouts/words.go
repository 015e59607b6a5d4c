package rollouts

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/api"
	"github.com/candor-ota/candor/signer/cli"
)

// text is a text that may be absent.
func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// percent is a share or rate of the API, in percent.
func percent(ppm int) string { return manifests.SharePPM(max(ppm, 0)).String() }

// number writes thousands apart: 1,000,000.
func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// moment is a time for people, in UTC.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// table lines up columns; the first row is their names.
func table(rows [][]string) ([]string, error) {
	var out bytes.Buffer
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i := range row {
			row[i] = strings.ReplaceAll(cli.Line(row[i]), "\t", " ")
		}
		if _, err := fmt.Fprintln(w, strings.Join(row, "\t")); err != nil {
			return nil, err
		}
	}
	if err := w.Flush(); err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return lines, nil
}

// where says how far a rollout has come.
func where(r *api.Rollout) string {
	return fmt.Sprintf("%s, stage %d of %d, %s", r.State, r.Stage+1, len(r.Stages), percent(r.SharePPM))
}

// share is a flag in percent: 12%.
type share struct{ ppm manifests.SharePPM }

var shareForm = regexp.MustCompile(`^([0-9]{1,3})(?:\.([0-9]{1,4}))? ?%$`)

// Set reads a percentage from 0.0001 % to 100 %.
func (s *share) Set(v string) error {
	m := shareForm.FindStringSubmatch(v)
	if m == nil {
		return fmt.Errorf("%q is no percentage: write 12%% or 0.5%%", v)
	}
	n, err := strconv.ParseUint(m[1]+(m[2] + "0000")[:4], 10, 32)
	if err != nil || n > uint64(manifests.WholeFleet) {
		return fmt.Errorf("%q is more than 100%%", v)
	}
	s.ppm = manifests.SharePPM(n)
	return nil
}

func (s *share) String() string {
	if s.ppm == 0 {
		return ""
	}
	return s.ppm.String()
}

// Type is what help shows.
func (*share) Type() string { return "percent" }
