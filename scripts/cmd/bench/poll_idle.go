package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/candor-ota/candor/scripts/figure"
)

// Connections that have polled and wait: few at first, for what a server needs
// once, then many.
const (
	idleFirst = 1_000
	idleAll   = 8_000
	// idleSources are addresses that connections come from: one alone may not
	// have so many.
	idleSources = 8
)

// idle gives what a connection that has polled once costs while it waits.
func (p *fleets) idle(ctx context.Context) (rows []figure.Row, err error) {
	var each [2]float64
	for i, server := range []*process{p.candor, p.bare} {
		if each[i], err = server.idleBytes(ctx); err != nil {
			return nil, err
		}
	}
	return []figure.Row{
		figure.Of("memory (RSS) of an idle connection: candor-server", each[0]/1024, "KiB"),
		figure.Of("memory (RSS) of an idle connection: bare net/http handler", each[1]/1024, "KiB"),
		figure.AtMost("memory of an idle connection against the bare handler", each[0]/each[1], "ratio", 1),
	}, nil
}

func (p *process) idleBytes(ctx context.Context) (each float64, err error) {
	var open []net.Conn
	defer func() {
		for _, c := range open {
			err = errors.Join(err, c.Close())
		}
	}()
	var resident [2]int64
	for i, n := range []int{idleFirst, idleAll} {
		for len(open) < n {
			c, err := p.pollOnce(len(open))
			if err != nil {
				return 0, err
			}
			open = append(open, c)
		}
		if err := pause(ctx, watchSettle); err != nil {
			return 0, err
		}
		if resident[i], err = residentBytes(p.pid()); err != nil {
			return 0, err
		}
	}
	return float64(resident[1]-resident[0]) / (idleAll - idleFirst), nil
}

// pollOnce polls on a connection of its own, and leaves it open.
func (p *process) pollOnce(i int) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 2, byte(1+i%idleSources))}, KeepAlive: -1}
	c, err := d.Dial("tcp", p.address)
	if err != nil {
		return nil, err
	}
	if _, err = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", pollPath, p.address); err == nil {
		err = newAnswers(c, 200).next()
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}
