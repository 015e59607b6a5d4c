package hooks

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"

	"github.com/candor-ota/candor/manifests"
	"github.com/candor-ota/candor/manifests/webhook"
)

// Config is a webhook in config.yaml.
type Config struct {
	// Name stands in the ids of its deliveries; a new name is a new hook.
	Name manifests.Name `json:"name"`
	// URL is https, or http to this machine.
	URL string `json:"url"`
	// SecretFile holds one secret a line, as webhook.ParseSecrets reads them;
	// two while they are being changed. It is read anew for each delivery.
	SecretFile string `json:"secretFile"`
	// Events are verbs of the audit log, such as "rollout.halt" or "rollout.*";
	// all if absent.
	Events []string `json:"events,omitempty"`
	// Products limits the hook to what concerns one of these; all, also what
	// concerns none, if absent.
	Products []manifests.Product `json:"products,omitempty"`
	// CAFile is a PEM file of the authorities to trust instead of the system's.
	CAFile string `json:"caFile,omitempty"`
}

// MaxHooks is how many there may be.
const MaxHooks = 32

var eventForm = regexp.MustCompile(`^([a-z][a-z-]*(\.[a-z][a-z-]*)*(\.\*)?|\*)$`)

// Check says what is wrong with a list of hooks, field by field.
func Check(list []Config, say func(field, format string, args ...any)) {
	if len(list) > MaxHooks {
		say("webhooks", "there are %d; at most %d are served", len(list), MaxHooks)
		return
	}
	names := map[manifests.Name]bool{}
	for i, c := range list {
		at := func(field string) string { return fmt.Sprintf("webhooks[%d].%s", i, field) }
		if names[c.Name] {
			say(at("name"), "%q is another hook's name", c.Name)
		}
		names[c.Name] = true
		if err := checkURL(c.URL); err != nil {
			say(at("url"), "%v", err)
		}
		if _, err := c.secrets(); err != nil {
			say(at("secretFile"), "%v", err)
		}
		if j := slices.IndexFunc(c.Events, func(e string) bool { return !eventForm.MatchString(e) }); j >= 0 {
			say(at("events"), "%q is not the name of an event, such as rollout.halt or rollout.*", c.Events[j])
		}
		if c.CAFile != "" {
			if _, err := authorities(c.CAFile); err != nil {
				say(at("caFile"), "%v", err)
			}
		}
	}
}

func checkURL(text string) error {
	u, err := url.Parse(text)
	if err != nil {
		return errors.New("is not a URL") // err would repeat it, and a password in it
	}
	ip := net.ParseIP(u.Hostname())
	here := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	switch {
	case u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !here):
		return errors.New("use https://host/path (or http to this machine)")
	case u.User != nil:
		return errors.New("holds a password; deliveries are signed, no password is needed")
	case u.Fragment != "":
		return errors.New("has a fragment, which is never sent")
	}
	return nil
}

func (c Config) secrets() ([]webhook.Secret, error) {
	data, err := os.ReadFile(c.SecretFile)
	if err != nil {
		return nil, fmt.Errorf("webhook secrets: %w", err)
	}
	return webhook.ParseSecrets(data)
}

// wants tells whether a hook asks for an entry. None hears that it was itself
// given up on: that would go on for ever.
func (c Config) wants(event, subject string, product manifests.Product) bool {
	if event == gaveUp && subject == string(c.Name) {
		return false
	}
	return webhook.Wanted(c.Events, event) && (len(c.Products) == 0 || slices.Contains(c.Products, product))
}
