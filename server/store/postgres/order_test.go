package postgres_test

import (
	"testing"

	"github.com/candor-ota/candor/server/store/storetest"
)

// What reads before it writes waits for its turn among all replicas; here
// another one, played by the test, is in the middle of such a write.
func TestOrderedWritesTakeTurns(t *testing.T) {
	p := storetest.StartPostgres(t)
	name, err := p.NewDatabase(t.Context())
	must(t, err)
	l := open(t, p, p.URL(name))
	other, err := p.Connect(t.Context(), name)
	must(t, err)
	const order = 0x43414e44 // what every version must take
	_, err = other.Exec(t.Context(), `SELECT pg_advisory_lock($1, 0)`, order)
	must(t, err)
	done := make(chan error, 1)
	go func() { _, err := l.Append(t.Context(), line); done <- err }()
	for waiting := false; !waiting; {
		select {
		case err := <-done:
			t.Fatalf("it did not wait: %v", err)
		default:
		}
		must(t, other.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)`).Scan(&waiting))
	}
	must(t, other.Close(t.Context()))
	must(t, <-done)
}
