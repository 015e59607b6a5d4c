// Package boot is how the agent speaks to a boot loader: seven verbs that every
// driver keeps, whatever is behind them (a simulator, the U-Boot environment,
// systemd-boot).
//
// A handset has at least two slots. One is booted and marked good. The other
// is marked unbootable, written, armed with a number of tries, and becomes good
// only by MarkGood from a healthy system that booted from it. Arm is the single
// commit point of an update.
//
// Safety. A driver refuses, by its own knowledge of the boot loader's state and
// never by the agent's journal, whatever could leave no slot to boot: the
// booted slot is never marked unbootable, and no other slot is either unless
// the booted one is marked good (AMENDMENTS M1).
//
// Durability. When a verb returns without error, its effect survives a power
// cut; when the power is cut inside it, the state is the one before or the one
// after.
package boot

import "errors"

// Slot names a slot, such as "a".
type Slot string

// State is what the boot loader knows of a slot.
type State struct {
	Bootable  bool // may be chosen
	Good      bool // booted once and proved itself
	TriesLeft int  // how often it will still be tried; 0 when good or not armed
	// Spent: it was armed, and all tries are used up. MarkUnbootable, Disarm and
	// Arm take it back.
	Spent bool
}

// Armed tells whether the slot waits to be tried.
func (s State) Armed() bool { return s.Bootable && !s.Good && s.TriesLeft > 0 }

// The refusals of a driver.
var (
	ErrBooted    = errors.New("that slot is the one that is running")
	ErrUnproved  = errors.New("the running slot is not marked good yet; its neighbour is the only way back")
	ErrNoSlot    = errors.New("there is no such slot")
	ErrNotBooted = errors.New("only the running slot can be marked good")
	ErrTries     = errors.New("a slot is armed with 1 to 15 tries")
	// ErrMisfit: the images of a release are not those that a slot needs. The
	// words around it say which one, for people.
	ErrMisfit = errors.New("the slot would not be whole")
)

// MaxTries is the most that every supported boot loader can count.
const MaxTries = 15

// Driver speaks to one kind of boot loader. It is not for concurrent use.
type Driver interface {
	// Slots names all slots, always in the same order.
	Slots() ([]Slot, error)
	// Booted is the slot that is running.
	Booted() (Slot, error)
	// MarkUnbootable keeps the boot loader away from a slot that is to be
	// written. It refuses with ErrBooted or ErrUnproved.
	MarkUnbootable(Slot) error
	// Arm makes the boot loader try a slot first, that many times.
	Arm(slot Slot, tries int) error
	// Disarm takes Arm back: the good slot boots first again, then the armed
	// one is unbootable. Called from within the armed slot, the next boot
	// returns to the good one.
	Disarm(Slot) error
	// MarkGood keeps the running slot for good.
	MarkGood(Slot) error
	// State is what the boot loader knows of a slot.
	State(Slot) (State, error)
}
