package overload

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Limits are all bounds of a server.
type Limits struct {
	Connections           int // at once, of the public listener
	ConnectionsPerAddress int
	Streams               int // of watch, at once; they are connections too
	StreamsPerAddress     int
	Heartbeat             time.Duration // of streams

	BodyTime    time.Duration // for the body of a report, of a kilobyte
	Arriving    Width         // reports whose body is still coming
	Reports     Width         // enrolments, tokens, votes
	Downloads   Width         // of images; each holds a file beside its connection
	Operators   Width         // what people and machines look at and prepare
	Actions     Width         // changes of rollouts: a halt waits for nothing else
	Uploads     Width         // pieces of images
	Submissions Width         // each holds up to 24 MiB
	SignIns     Width         // each may wait for the provider
	Live        Width         // streams of dashboards; they are connections too

	// ReportsPerAddress is how many of them an address may send at once, and
	// how many a second after that.
	ReportsPerAddress Rate
}

// Rate is a bucket and how fast it fills.
type Rate struct{ Burst, PerSecond int }

// Defaults gives the limits that go with a number of open files. One fifth of
// them is for images that are being downloaded, the rest for connections, but
// for what ledger, store and log may need.
func Defaults(files int) Limits {
	files -= min(1024, files/4)
	connections := files * 4 / 5
	streams := connections * 3 / 4
	return Limits{
		Connections: connections, ConnectionsPerAddress: connections / 4,
		Streams: streams, StreamsPerAddress: streams / 4,
		BodyTime: 20 * time.Second,
		Arriving: Width{AtOnce: max(connections/8, 64)}, Reports: Width{AtOnce: 256, Waiting: 1024},
		Downloads: Width{AtOnce: files / 5}, Operators: Width{AtOnce: 64, Waiting: 256}, Actions: Width{AtOnce: 16, Waiting: 64},
		Uploads: Width{AtOnce: 16, Waiting: 16}, Submissions: Width{AtOnce: 4, Waiting: 8}, SignIns: Width{AtOnce: 32, Waiting: 32},
		Live:              Width{AtOnce: max(min(connections/8, 1000), 4)},
		ReportsPerAddress: Rate{Burst: 2000, PerSecond: 200},
	}
}

// mostFiles is what is asked for where the system sets no bound.
const mostFiles = 1 << 20

// Files raises this process's bound of open files as far as it may, and gives
// it.
func Files() (int, error) {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return 0, fmt.Errorf("bound of open files: %w", err)
	}
	if r.Cur < r.Max {
		r.Cur = r.Max
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
			return 0, fmt.Errorf("raise the bound of open files: %w", err)
		}
	}
	return int(min(r.Cur, mostFiles)), nil
}
