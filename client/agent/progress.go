package agent

import (
	"math"
	"time"

	"github.com/candor-ota/candor/client/disk"
	"github.com/candor-ota/candor/manifests"
)

// Phase is what takes its time in an update.
type Phase string

// The phases.
const (
	Writing Phase = "write"  // fetching, and writing to the slot
	Reading Phase = "verify" // reading the slot back
)

// Progress says how far one phase of an update is. Bytes are those of the
// images as they stand in the slot, all images of the release together.
type Progress struct {
	Build          manifests.Build `json:"build"`
	Image          manifests.Name  `json:"image"`
	Phase          Phase           `json:"phase"`
	BytesDone      int64           `json:"bytesDone"`
	BytesTotal     int64           `json:"bytesTotal"`
	BytesPerSecond int64           `json:"bytesPerSecond"`       // smoothed; 0: not known yet
	ETASeconds     *int64          `json:"etaSeconds,omitempty"` // to the end of the phase; nil: not known
}

const (
	tellEvery   = 500 * time.Millisecond // progress is told no more often
	smoothOver  = 10 * time.Second       // what a rate remembers
	longestETA  = 7 * 24 * time.Hour     // beyond that it is not known
	leastSample = 200 * time.Millisecond // between two measurements of a rate
)

// meter smooths a rate. Times are of one clock that never goes back, such as
// uptime.
type meter struct {
	rate        float64 // bytes a second; negative: not known
	done        int64
	at          time.Duration
	told        time.Duration
	ready, said bool
}

// add notes how many bytes are done.
func (m *meter) add(done int64, at time.Duration) {
	if !m.ready || done < m.done || at < m.at {
		*m = meter{rate: -1, done: done, at: at, ready: true}
		return
	}
	passed := at - m.at
	if passed < leastSample {
		return
	}
	measured := float64(done-m.done) / passed.Seconds()
	if m.rate < 0 {
		m.rate = measured
	} else {
		m.rate += (measured - m.rate) * (1 - math.Exp(-passed.Seconds()/smoothOver.Seconds()))
	}
	m.done, m.at = done, at
}

// due tells whether it is time to tell of progress.
func (m *meter) due(at time.Duration) bool {
	if m.said && at >= m.told && at-m.told < tellEvery {
		return false
	}
	m.said, m.told = true, at
	return true
}

// fill adds rate and remaining time.
func (m *meter) fill(p *Progress) {
	if m.rate <= 0 {
		return
	}
	p.BytesPerSecond = int64(m.rate)
	if left := float64(p.BytesTotal-p.BytesDone) / m.rate; left < longestETA.Seconds() {
		p.ETASeconds = new(int64(math.Ceil(left)))
	}
}

// watched is a file of the slot that tells how far it is written or read.
type watched struct {
	disk.File
	tell func(done int64)
	read bool
}

func (w *watched) WriteAt(b []byte, at int64) (int, error) {
	n, err := w.File.WriteAt(b, at)
	if err == nil {
		w.tell(at + int64(n))
	}
	return n, err
}

func (w *watched) ReadAt(b []byte, at int64) (int, error) {
	n, err := w.File.ReadAt(b, at)
	if w.read {
		w.tell(at + int64(n))
	}
	return n, err
}

// watch has the progress of a phase told as the file of an image is written or
// read.
func (a *Agent) watch(f disk.File, phase Phase, image manifests.Name) disk.File {
	before, total := int64(0), int64(0)
	for i := range a.offer.Release.Images {
		m := &a.offer.Release.Images[i]
		if m.Slot == image {
			before = total
		}
		total += m.Size
	}
	m := &meter{}
	return &watched{File: f, read: phase == Reading, tell: func(done int64) {
		up, err := a.Device.Uptime()
		if err != nil {
			return // the work itself does not need it
		}
		m.add(before+done, up)
		if !m.due(up) && before+done < total {
			return
		}
		p := &Progress{Build: a.rec.Build, Image: image, Phase: phase, BytesDone: min(before+done, total), BytesTotal: total}
		m.fill(p)
		a.mem.Last.Progress = p
		a.observed()
	}}
}
