package postgres_test

import (
	"slices"
	"testing"
	"time"

	"github.com/candor-ota/candor/server/store/relational"
	"github.com/candor-ota/candor/server/store/storetest"
)

// Whoever carries a ledger elsewhere stops reading while it writes there, for
// longer than a replica may be silent. The engine then waits with its buffers
// full, which to TCP looks like a peer that is gone.
func TestWhoReadsAViewMayPauseForLongerThanAReplica(t *testing.T) {
	const silence, rows = 500 * time.Millisecond, 2000
	p := storetest.StartPostgres(t)
	name, err := p.NewDatabase(t.Context())
	must(t, err)
	l := open(t, p, p.URL(name)+"&tcp_user_timeout=500&idle_in_transaction_session_timeout=500")
	must(t, p.Do(t.Context(), name, `INSERT INTO audit (seq, at, who, what, subject, why, detail, prev, hash)
		SELECT n, 0, 'li', 'test', '', '', repeat('x', 16000), '', '' FROM generate_series(1, 2000) n`))
	look, err := p.Connect(t.Context(), name)
	must(t, err)
	defer func() { must(t, look.Close(t.Context())) }()
	full := func() (waits bool) {
		must(t, look.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'ClientWrite')`).Scan(&waits))
		return waits
	}
	read := 0
	must(t, l.View(t.Context(), func(v *relational.View) error {
		tables := relational.Tables()
		return v.Rows(t.Context(), tables[len(tables)-1], []string{"seq", "detail"}, nil, func(relational.Row) error {
			if read++; read != 1 {
				return nil
			}
			for !full() {
				<-time.After(10 * time.Millisecond)
			}
			<-time.After(4 * silence)
			return nil
		})
	}))
	if read != rows {
		t.Errorf("read %d of %d rows", read, rows)
	}
}

// What a ledger is filled with may come from a disk that stops for a moment.
func TestWhoFillsALedgerMayPauseForLongerThanAReplica(t *testing.T) {
	const silence = 500 * time.Millisecond
	p := storetest.StartPostgres(t)
	l := open(t, p, p.Database(t)+"&idle_in_transaction_session_timeout=500")
	tables := relational.Tables()
	numbers := tables[slices.IndexFunc(tables, func(one relational.Table) bool { return one.Name == "role_versions" })]
	must(t, l.Fill(t.Context(), "restore", func(f *relational.Filling) error {
		if err := f.Insert(t.Context(), numbers, []string{"role", "version"}, []relational.Row{{"snapshot", int64(7)}}); err != nil {
			return err
		}
		<-time.After(4 * silence)
		return f.Insert(t.Context(), numbers, []string{"role", "version"}, []relational.Row{{"timestamp", int64(8)}})
	}))
}
