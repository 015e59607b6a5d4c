package webhook

import (
	"slices"
	"sync"
	"time"
)

// remembered is how long Memory keeps an id: longer than the sender goes on
// trying, which is three days.
const remembered = 4 * 24 * time.Hour

// maxRemembered is how many ids Memory keeps. The oldest goes first; only who
// knows the secret can add one.
const maxRemembered = 100_000

// Memory is a Seen that forgets with its process. Its zero value is ready, and
// it is safe for concurrent use.
type Memory struct {
	mu    sync.Mutex
	taken map[string]time.Time
	order []string // oldest first
}

// Take remembers an id; false if it is remembered already.
func (m *Memory) Take(id string, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.taken == nil {
		m.taken = map[string]time.Time{}
	}
	for len(m.order) > 0 && (len(m.order) >= maxRemembered || now.Sub(m.taken[m.order[0]]) > remembered) {
		delete(m.taken, m.order[0])
		m.order = m.order[1:]
	}
	if _, ok := m.taken[id]; ok {
		return false
	}
	m.taken[id] = now
	m.order = append(m.order, id)
	return true
}

// GiveBack forgets an id.
func (m *Memory) GiveBack(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := slices.Index(m.order, id); i >= 0 {
		m.order = slices.Delete(m.order, i, i+1)
		delete(m.taken, id)
	}
}
