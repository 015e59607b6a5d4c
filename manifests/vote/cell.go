package vote

import (
	"fmt"
	"slices"
)

// Cell numbers a vote within its class, from 0. The numbers are stored, so
// they never change: ((((outcome·9 + reason)·3 + fromClass)·4 + attempts)·4 +
// duration), each the position in its list; an attempt is 0.
type Cell uint16

// Cells is one more than the largest number a Cell can have: 4·9·3·4·4.
const Cells = 1728

// Cell gives the number of a vote that is valid for the class.
func (v Vote) Cell(class Class) (Cell, error) {
	if err := v.Validate(class); err != nil {
		return 0, err
	}
	if class == Attempt {
		return 0, nil
	}
	n := max(0, slices.Index(outcomes, v.Outcome))
	n = n*len(reasons) + slices.Index(reasons, v.Reason)
	n = n*len(froms) + slices.Index(froms, v.FromClass)
	n = n*len(attempts) + slices.Index(attempts, v.Attempts)
	return Cell(n*len(durations) + slices.Index(durations, v.Duration)), nil
}

// OfCell gives the vote that has this number in the class. An error means
// that no legal vote has it.
func OfCell(class Class, cell Cell) (Vote, error) {
	v := Vote{V: Version}
	if class != Attempt {
		n := int(cell)
		v.Duration = take(&n, durations)
		v.Attempts = take(&n, attempts)
		v.FromClass = take(&n, froms)
		v.Reason = take(&n, reasons)
		if class != Regression && n < len(outcomes) {
			v.Outcome = outcomes[n]
		}
	}
	if back, err := v.Cell(class); err != nil || back != cell {
		return Vote{}, fmt.Errorf("cell %d is no vote of class %s", cell, class)
	}
	return v, nil
}

func take[T any](n *int, list []T) T {
	v := list[*n%len(list)]
	*n /= len(list)
	return v
}
