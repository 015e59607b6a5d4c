package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"

	"github.com/candor-ota/candor/server/api"
	"github.com/candor-ota/candor/server/config"
	"github.com/candor-ota/candor/server/overload"
	"github.com/candor-ota/candor/server/poll"
)

// limits raises the bound of open files and gives the limits that go with it,
// or that are configured. What the system cannot hold is lowered, and said.
func limits(f config.File, log *slog.Logger) (overload.Limits, error) {
	files, err := overload.Files()
	if err != nil {
		return overload.Limits{}, err
	}
	l := f.Limits.Over(overload.Defaults(files))
	if most := files - min(1024, files/4) - l.Downloads.AtOnce; l.Connections > most {
		log.Warn("limits.connections is lowered to what the bound of open files has room for; raise it (LimitNOFILE=)", "asked", l.Connections, "connections", most, "files", files)
		l.Connections = max(most, 1)
	}
	if l.Streams >= l.Connections {
		log.Warn("limits.watch.streams is lowered: polls need connections too", "asked", l.Streams, "streams", l.Connections*3/4)
		l.Streams = l.Connections * 3 / 4
	}
	log.Info("bounds", "files", files, "connections", l.Connections, "streams", l.Streams, "downloads", l.Downloads.AtOnce)
	return l, nil
}

// bounded has the connections of the public listener counted, and polls on them
// answered before anything else looks at them; with TLS net/http does all, as
// nothing that comes after a handshake costs as much. What it gives back waits
// at the end.
func bounded(l net.Listener, front *http.Server, service *api.API, f config.File, log *slog.Logger) (net.Listener, func(context.Context) error, error) {
	limits := service.Limits
	out, err := overload.NewListener(l, limits.Connections, limits.ConnectionsPerAddress, f.TrustedProxies)
	if err != nil {
		return nil, nil, err
	}
	front.ConnState = out.State
	service.Counted(out)
	if f.TLS != nil {
		return out, func(context.Context) error { return nil }, nil
	}
	polled := poll.NewListener(out, service, api.PollTimes(), log)
	return polled, polled.Shutdown, nil
}
