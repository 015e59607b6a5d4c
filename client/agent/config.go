package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/candor-ota/candor/manifests"
)

// Config is what an integrator writes, in YAML. Paths that are not absolute
// are relative to the file.
type Config struct {
	Product manifests.Product `json:"product"`
	Model   manifests.Name    `json:"model"`
	Region  manifests.Name    `json:"region,omitempty"`
	Channel manifests.Name    `json:"channel,omitempty"` // default "stable"
	Servers []string          `json:"servers"`           // base addresses, tried in order
	// Mirrors are addresses of copies of what the servers publish. They are
	// asked for all but what says that something is new.
	Mirrors []string `json:"mirrors,omitempty"`
	// PollMirrors has them asked for that as well, and the servers only where
	// mirrors fail.
	PollMirrors bool `json:"pollMirrors,omitempty"`

	State string `json:"state"`           // directory of the agent's own files
	Slots string `json:"slots,omitempty"` // directory of the simulated boot loader
	Boot  Boot   `json:"boot,omitzero"`
	// Credential is the factory credential (PEM) that opting in to reports needs.
	Credential string `json:"credential,omitempty"`
	// Health are programs that must all succeed after a restart into a new build.
	Health [][]string `json:"health,omitempty"`
	// HealthTimeout bounds each of them. Default 60s.
	HealthTimeout manifests.Duration `json:"healthTimeout,omitzero"`
	// Hooks are further programs of the integrator.
	Hooks Hooks `json:"hooks,omitzero"`
	// Socket is where a running agent answers its owner; see SocketPath.
	Socket string `json:"socket,omitempty"`
	// Device is a file that stands in for battery, network and clock; see
	// device.File. A board without it asks the kernel.
	Device string `json:"device,omitempty"`
	// Metered is the program of a board that exits with 0 if the network costs
	// money, and with 1 if it does not; see device.Board.
	Metered []string `json:"metered,omitempty"`
	Poll    Poll     `json:"poll,omitzero"`
	Watch   Watch    `json:"watch,omitzero"`
	Report  Report   `json:"report,omitzero"`
	// MinBattery is the least charge, in percent, at which an update starts
	// without a charger. Default 30.
	MinBattery int `json:"minBattery,omitempty"`
	// AbortBattery is the charge at which a running update pauses. Default 15.
	AbortBattery int `json:"abortBattery,omitempty"`
}

// Hooks are the programs of each hook but health, run in order; see package
// hooks for what they are told and what their exit status means.
type Hooks struct {
	PreCheck    [][]string `json:"preCheck,omitempty"`
	PreInstall  [][]string `json:"preInstall,omitempty"`
	PostInstall [][]string `json:"postInstall,omitempty"`
	PreReboot   [][]string `json:"preReboot,omitempty"`
	PostCommit  [][]string `json:"postCommit,omitempty"`
	// Timeout bounds each program. Default 60s.
	Timeout manifests.Duration `json:"timeout,omitzero"`
}

// Poll says how often the agent looks for news.
type Poll struct {
	Every  manifests.Duration `json:"every,omitzero"`  // default 6h
	Jitter manifests.Duration `json:"jitter,omitzero"` // added at random; default a tenth of Every
}

// Watch has a running agent keep a stream to the server open, over which it
// hears that there is news. Off unless it is turned on: who holds a stream can
// be seen to be there.
type Watch struct {
	On bool `json:"on,omitempty"`
	// Servers are those that have streams; default Servers of Config.
	Servers []string `json:"servers,omitempty"`
}

// Next is the wait until the next poll: Every and a random part of Jitter,
// whatever the last poll said. random gives a number below n, from 0 on.
func (p Poll) Next(random func(n int64) int64) time.Duration {
	return p.Every.Duration + time.Duration(random(int64(p.Jitter.Duration)+1))
}

// Report holds the random delays by which reports are kept apart from what
// caused them. The defaults are the design's.
type Report struct {
	AttemptWithin manifests.Duration `json:"attemptWithin,omitzero"` // default 10m
	OutcomeWithin manifests.Duration `json:"outcomeWithin,omitzero"` // default 6h
	TokenWithin   manifests.Duration `json:"tokenWithin,omitzero"`   // default 6h
	AttemptWait   manifests.Duration `json:"attemptWait,omitzero"`   // arming waits this long for the acknowledgement; default 1h
}

// MaxSocketPath is the longest path of a socket in Linux, in bytes.
const MaxSocketPath = 107

// SocketPath is where a running agent answers its owner: the socket that is
// configured, or agent.sock in the directory of the agent's files.
func (c *Config) SocketPath() string {
	if c.Socket != "" {
		return c.Socket
	}
	return filepath.Join(c.State, "agent.sock")
}

// MaxConfigBytes bounds a configuration file.
const MaxConfigBytes = 64 << 10

// LoadConfig reads a configuration file and fills in defaults. All that is
// wrong with it is reported at once.
func LoadConfig(path string) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	var c Config
	if err := manifests.DecodeYAML(data, MaxConfigBytes, &c); err != nil {
		return nil, fmt.Errorf("configuration %s: %w", path, err)
	}
	base, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	for _, p := range []*string{&c.State, &c.Slots, &c.Credential, &c.Device, &c.Socket} {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(base, *p)
		}
	}
	c.Boot.resolve(base)
	c.fill()
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("configuration %s: %w", path, err)
	}
	return &c, nil
}

func (c *Config) fill() {
	c.Boot.fill()
	setDuration(&c.HealthTimeout, time.Minute)
	setDuration(&c.Hooks.Timeout, time.Minute)
	setDuration(&c.Poll.Every, 6*time.Hour)
	setDuration(&c.Poll.Jitter, max(c.Poll.Every.Duration/10, time.Second))
	setDuration(&c.Report.AttemptWithin, 10*time.Minute)
	setDuration(&c.Report.OutcomeWithin, 6*time.Hour)
	setDuration(&c.Report.TokenWithin, 6*time.Hour)
	setDuration(&c.Report.AttemptWait, time.Hour)
	if len(c.Watch.Servers) == 0 {
		c.Watch.Servers = c.Servers
	}
	if c.Channel == "" {
		c.Channel = "stable"
	}
	if c.MinBattery == 0 {
		c.MinBattery = 30
	}
	if c.AbortBattery == 0 {
		c.AbortBattery = 15
	}
}

func setDuration(d *manifests.Duration, otherwise time.Duration) {
	if d.Duration == 0 {
		d.Duration = otherwise
	}
}

func (c *Config) check() error {
	var errs []error
	if len(c.Servers) == 0 {
		errs = append(errs, errors.New(`field "servers": name at least one address, such as https://updates.example.org`))
	}
	if c.PollMirrors && len(c.Mirrors) == 0 {
		errs = append(errs, errors.New(`field "pollMirrors": there are no "mirrors" to ask`))
	}
	if c.State == "" {
		errs = append(errs, errors.New(`field "state": name a directory`))
	}
	errs = append(errs, c.Boot.check(c.Slots))
	if c.MinBattery > 100 || c.AbortBattery > c.MinBattery || c.AbortBattery < 0 {
		errs = append(errs, errors.New(`field "abortBattery" must lie between 0 and "minBattery", and that at most at 100`))
	}
	if len(c.Socket) > MaxSocketPath {
		errs = append(errs, fmt.Errorf(`field "socket": %s has %d bytes, and the kernel takes %d; name a shorter path`, c.Socket, len(c.Socket), MaxSocketPath))
	}
	if len(c.Metered) > 0 && (c.Metered[0] == "" || c.Device != "" || c.Boot.Simulated()) {
		errs = append(errs, errors.New(`field "metered": name a program, on a board without "device", which says it itself`))
	}
	for _, list := range []struct {
		name     string
		commands [][]string
	}{
		{"health", c.Health},
		{"hooks.preCheck", c.Hooks.PreCheck},
		{"hooks.preInstall", c.Hooks.PreInstall},
		{"hooks.postInstall", c.Hooks.PostInstall},
		{"hooks.preReboot", c.Hooks.PreReboot},
		{"hooks.postCommit", c.Hooks.PostCommit},
	} {
		for i, h := range list.commands {
			if len(h) == 0 || h[0] == "" {
				errs = append(errs, fmt.Errorf(`field "%s[%d]": name a program`, list.name, i))
			}
		}
	}
	return errors.Join(errs...)
}
