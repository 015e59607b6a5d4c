package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/candor-ota/candor/client/hooks"
	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/scripts/world"
)

// phone is one handset: a directory with its own slots and boot loader, the
// client program that runs in it, and an owner.
type phone struct {
	*world.Phone
	name     string
	contacts []string
	reports  bool // the owner lets outcomes be reported
	messages bool // the owner turns cloud messaging on, once it asks
	rev      string

	slot       string // booted when last seen
	build      manifests.Build
	downloaded int64
	state      string
	code       string
	sentence   string
	rolledBack bool
}

// factoryLabel is what the old build did, said honestly.
const factoryLabel = `collects:
  - data: contact-phone-numbers
    purpose: {en: finding out which of your contacts use cloud messaging}
    default: on
    stored: retained
`

// Every second owner lets outcomes be reported (nine of ten for a bad build,
// which has to be noticed), every third turns cloud messaging on, every tenth
// phone is of revision c.
func (d *demo) makeFleet(ctx context.Context) error {
	for i := range d.handsets {
		p := &phone{name: fmt.Sprintf("%03d", i), reports: i%2 == 0 || d.bad && i%5 != 0, messages: i%3 == 0, rev: "rev-a"}
		if i%10 == 9 || d.handsets < 10 && i == d.handsets-1 {
			p.rev = "rev-c"
		}
		for c := range 5 {
			p.contacts = append(p.contacts, fmt.Sprintf("+86 130 %04d %04d", i, c))
		}
		d.fleet = append(d.fleet, p)
	}
	return d.each(ctx, d.makePhone)
}

func (d *demo) makePhone(ctx context.Context, p *phone) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	p.Phone, err = d.NewPhone(ctx, world.Factory{
		Dir: filepath.Join("phones", p.name), Product: product, Image: d.images[factoryOS], Build: oldBuild, Epoch: 6, Version: factoryOS,
		Label: factoryLabel, Health: []string{self, "os-check", p.rev}, Reports: p.reports,
	})
	if err != nil {
		return err
	}
	return d.turn(ctx, p)
}

// each runs one step for every phone.
func (d *demo) each(ctx context.Context, do func(context.Context, *phone) error) error {
	return d.some(ctx, d.fleet, do)
}

// some runs one step for some phones, a few at a time.
func (d *demo) some(ctx context.Context, phones []*phone, do func(context.Context, *phone) error) error {
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		errs []error
		gate = make(chan struct{}, 2*runtime.NumCPU())
	)
	for _, p := range phones {
		gate <- struct{}{}
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := do(ctx, p); err != nil {
				mu.Lock()
				errs = append(errs, err)
				mu.Unlock()
			}
			d.say.table(d)
			<-gate
		}()
	}
	wg.Wait()
	return errors.Join(errs...)
}

// turn lets a phone's agent poll once. When another slot has booted, the
// services of the OS in it start.
func (d *demo) turn(ctx context.Context, p *phone) error {
	s, err := p.Once(ctx)
	if err != nil {
		return err
	}
	if s.Status.Code == "needs-consent" { // the owner reads the notice, and agrees
		if err := p.Accept(ctx, s.Status.Build); err != nil {
			return err
		}
	}
	booted := s.Slot != p.slot
	d.say.lock(func() {
		p.slot, p.build, p.downloaded = s.Slot, s.Build, s.Downloaded
		p.state, p.code, p.sentence = s.Status.State, s.Status.Code, s.Status.Sentence
		p.rolledBack = p.rolledBack || s.Status.Code == "bad-target"
	})
	if !booted {
		return nil
	}
	asked := p.messages && s.Build == newBuild // before the fix nobody was asked
	return startMessaging(ctx, d.cloud, p.Image(s.Slot), p.contacts, asked)
}

// osCheck is the health check that the OS brings: does it have drivers for
// this revision of the hardware?
func osCheck(ctx context.Context, stdin io.Reader, rev string) error {
	var booted hooks.Input
	if err := json.NewDecoder(stdin).Decode(&booted); err != nil {
		return err
	}
	supported, err := readFromImage(ctx, booted.Images["system"], "/lib/firmware/hardware.txt")
	if err != nil {
		return err
	}
	for line := range strings.Lines(supported) {
		if strings.TrimSpace(line) == rev {
			return nil
		}
	}
	return fmt.Errorf("no driver for hardware %s", rev)
}
