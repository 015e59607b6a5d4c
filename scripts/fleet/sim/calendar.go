package sim

// calendar holds at most one event per handset, by tick. Putting and taking
// cost the same however many there are, and take no memory of their own.
type calendar struct {
	first []uint32 // by tick: rank + 1 of the first handset
	next  []uint32 // by rank: rank + 1 of the next one of the same tick
	held  int
	last  int // the latest tick that was used
}

func newCalendar(ticks, handsets int) calendar {
	return calendar{first: make([]uint32, ticks), next: make([]uint32, handsets), last: -1}
}

// put has a handset's turn come at a tick. What lies past the end is dropped.
func (c *calendar) put(tick, rank int) {
	if tick >= len(c.first) {
		return
	}
	c.next[rank] = c.first[tick]
	c.first[tick] = uint32(rank) + 1
	c.last = max(c.last, tick)
	c.held++
}

// take gives the next handset whose turn it is in a tick.
func (c *calendar) take(tick int) (rank int, ok bool) {
	head := c.first[tick]
	if head == 0 {
		return 0, false
	}
	c.first[tick] = c.next[head-1]
	c.held--
	return int(head) - 1, true
}

func (c *calendar) clear() {
	clear(c.first[:c.last+1])
	c.held, c.last = 0, -1
}
