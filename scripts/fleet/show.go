package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/candor-ota/candor/scripts/figure"
)

// show prints everything for people.
func show(to io.Writer, o *options, must []figure.Row, cells []cell, tokens []figure.Row) error {
	w := bufio.NewWriter(to)
	fmt.Fprintf(w, "%s\n%s handsets, %s opted in, plan: %s\n\n", figure.Machine(), thousands(o.handsets), percent(o.optIn), o.planName)
	if err := figure.Table(w, must); err != nil {
		return err
	}
	if len(must) > 0 {
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "%d seeds a line. \"left\": the first stage by the engine, of bad builds the second. What is given of the halted: median and 99th percentile.\n\n", o.some())
	fmt.Fprintf(w, "%6s %6s %-13s %5s %7s %6s %6s  %12s  %12s  %15s  %13s\n",
		"fails", "silent", "attacker", "poll", "halted", "left", "open", "votes", "hours", "had it, %", "harmed")
	for i := range cells {
		c := &cells[i]
		fmt.Fprintf(w, "%6s %6s %-13s %5s %6.3g%% %5.3g%% %5.3g%%", percent(c.fail), percent(c.brick), attackerName(c.poison), short(c.poll), c.halted, c.left, c.open)
		if c.halted > 0 {
			fmt.Fprintf(w, "  %5.0f %6.0f  %5.1f %6.1f  %7.3f %7.3f  %6.0f %6.0f", c.votes50, c.votes99, c.hours50, c.hours99, c.installed50, c.installed99, c.harmed50, c.harmed99)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w)
	if err := figure.Table(w, tokens); err != nil {
		return err
	}
	return w.Flush()
}

// short writes 6h0m0s as 6h.
func short(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"0s", "0m"} {
		if cut, ok := strings.CutSuffix(text, zero); ok && strings.ContainsAny(cut[len(cut)-1:], "hm") {
			text = cut
		}
	}
	return text
}
