package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// channel is where SetHead tells that a head has moved.
const channel = "candor_head"

// reconnect is how long to wait before listening again.
const reconnect = 500 * time.Millisecond

// Changes gives a signal after a head has moved, on any replica. Several moves
// may be one signal. It signals also whenever it begins to listen, at first and
// after its connection was lost, because a move may have gone by meanwhile; it
// tries for ever, and whoever must not miss one for long asks at times on his
// own. The channel is closed when ctx ends.
func (l *Ledger) Changes(ctx context.Context) <-chan struct{} {
	out := make(chan struct{}, 1)
	go func() {
		defer close(out)
		timer := time.NewTimer(0)
		defer timer.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
			l.listen(ctx, out)
			timer.Reset(reconnect)
		}
	}()
	return out
}

// listen passes signals on until its connection or ctx ends. Why it ended makes
// no difference to what is done, which is to connect again.
func (l *Ledger) listen(ctx context.Context, out chan<- struct{}) {
	config := l.config.Copy()
	if l.renew(ctx, config) != nil {
		return
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if conn.Close(closing) != nil {
			return // the connection is gone either way
		}
	}()
	if _, err := conn.Exec(ctx, `LISTEN `+channel); err != nil {
		return
	}
	for {
		select {
		case out <- struct{}{}:
		default: // one is waiting already
		}
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return
		}
	}
}
