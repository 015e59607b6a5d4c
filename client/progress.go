package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/candor-ota/candor/client/agent"
	"github.com/candor-ota/candor/client/handset"
	"github.com/candor-ota/candor/client/status"
)

// progressWords says in a line how far an update is.
func progressWords(p agent.Progress) string {
	doing := "writing"
	if p.Phase == agent.Reading {
		doing = "reading back"
	}
	percent := int64(100)
	if p.BytesTotal > 0 {
		percent = p.BytesDone * 100 / p.BytesTotal
	}
	words := fmt.Sprintf("build %d, %s %s: %d %% of %.1f MB", p.Build, doing, p.Image, percent, float64(p.BytesTotal)/1e6)
	if p.BytesPerSecond > 0 {
		words += fmt.Sprintf(", %.1f MB/s", float64(p.BytesPerSecond)/1e6)
	}
	if p.ETASeconds != nil {
		words += ", " + (time.Duration(*p.ETASeconds) * time.Second).String() + " left"
	}
	return words
}

// bar is a line of a terminal that is drawn over. It is silent elsewhere.
type bar struct {
	mu    sync.Mutex
	w     io.Writer
	shown bool
}

// newBar draws on w if that is a terminal.
func newBar(w io.Writer) *bar {
	b := &bar{w: io.Discard}
	if f, ok := w.(*os.File); ok {
		if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err == nil {
			b.w = f
		}
	}
	return b
}

const (
	clearLine = "\r\x1b[K"
	barWidth  = 24
)

func (b *bar) draw(p agent.Progress) {
	done := 0
	if p.BytesTotal > 0 {
		done = int(p.BytesDone * barWidth / p.BytesTotal)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shown = true
	b.put(fmt.Sprintf("%s[%s%s] %s", clearLine, strings.Repeat("#", done), strings.Repeat(" ", barWidth-done), progressWords(p)))
}

// clear takes the bar away, for what is printed next.
func (b *bar) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shown {
		b.shown = false
		b.put(clearLine)
	}
}

// put writes to the terminal. Where that fails nobody looks any more.
func (b *bar) put(s string) {
	if _, err := io.WriteString(b.w, s); err != nil {
		b.w = io.Discard
	}
}

// show draws an event.
func (b *bar) show(e status.Event) {
	if e.Event == status.ProgressEvent && e.Progress != nil {
		b.draw(*e.Progress)
		return
	}
	b.clear()
}

// follow draws the progress of a handset until stop is called.
func (b *bar) follow(h *handset.Handset) (stop func()) {
	events, end := h.Events()
	drawn := make(chan struct{})
	go func() {
		defer close(drawn)
		for e := range events {
			b.show(e)
		}
		b.clear()
	}()
	return func() {
		end()
		<-drawn
	}
}
