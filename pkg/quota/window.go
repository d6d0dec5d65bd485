package quota

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"
)

// moment is a time of the database's clock, in microseconds.
type moment int64

func momentOf(t time.Time) moment { return moment(t.UnixMicro()) }

func (m moment) time() time.Time                   { return time.UnixMicro(int64(m)).UTC() }
func (m moment) plus(d time.Duration) moment       { return m + moment(d.Microseconds()) }
func (m moment) since(before moment) time.Duration { return time.Duration(m-before) * time.Microsecond }

// tally is a number of calls. In a rolling window At is when they were made; in one
// of the clock it is when the minute or hour began that they count in.
type tally struct {
	At moment
	N  int
}

// MarshalJSON writes [at, n]: a budget has up to a hundred.
func (t tally) MarshalJSON() ([]byte, error) { return json.Marshal([2]int64{int64(t.At), int64(t.N)}) }

// UnmarshalJSON reads [at, n].
func (t *tally) UnmarshalJSON(raw []byte) error {
	var pair [2]int64
	if err := json.Unmarshal(raw, &pair); err != nil {
		return err
	}
	t.At, t.N = moment(pair[0]), int(pair[1])
	return nil
}

// window is a span of time in which only so many calls may be made.
type window struct {
	name   string
	limit  int
	kept   int // from backfill
	length time.Duration
	clock  bool
}

// windowsOf lists the windows of some limits, the minute's first.
func windowsOf(l Limits) []window {
	minute := window{name: "minute", limit: l.PerMinute, kept: roundedUp(l.PerMinute, minutePart), length: rolling}
	if l.Clock {
		minute.length, minute.clock = time.Minute, true
	}
	if l.PerHour == 0 {
		return []window{minute}
	}
	hour := window{name: "hour", limit: l.PerHour, kept: roundedUp(l.PerHour, hourPart), length: time.Hour + guard, clock: l.Clock}
	if l.Clock {
		hour.length = time.Hour
	}
	return []window{minute, hour}
}

// mostTallies bounds what is stored of a rolling window: beyond, calls share an
// entry with the last of them.
const mostTallies = 128

// grain is how exactly the time of a call is kept in a rolling window, rounded up.
func (w window) grain() moment {
	if w.limit <= mostTallies {
		return 1
	}
	return moment(w.length.Microseconds()/mostTallies) + 1
}

// touched are the beginnings of those windows of the clock in which the provider
// may count a call of this time: one, or two where it is near to the next.
func (w window) touched(at moment) []moment {
	length := moment(w.length.Microseconds())
	first, last := at.plus(-guard)/length*length, at.plus(guard)/length*length
	if first == last {
		return []moment{first}
	}
	return []moment{first, last}
}

// add counts n calls that were made at a time.
func (w window) add(list []tally, at moment, n int) []tally {
	if n <= 0 {
		return list
	}
	if w.clock {
		for _, begin := range w.touched(at) {
			list = insert(list, begin, n)
		}
		return list
	}
	grain := w.grain()
	return insert(list, (at+grain-1)/grain*grain, n)
}

// insert keeps a list in the order of time, with one entry for each.
func insert(list []tally, at moment, n int) []tally {
	i, there := slices.BinarySearchFunc(list, at, func(t tally, at moment) int { return cmp.Compare(t.At, at) })
	if there {
		list[i].N += n
		return list
	}
	return slices.Insert(list, i, tally{at, n})
}

// pruned leaves out what does not count any more. What lies ahead was written by a
// clock that has been set back since: it counts as of now.
func (w window) pruned(list []tally, now moment) []tally {
	var kept []tally
	ahead := 0
	for _, t := range list {
		switch {
		case t.N <= 0 || !w.clock && t.At <= now.plus(-w.length) || w.clock && t.At.plus(w.length+guard) <= now:
		case !w.clock && t.At > now+w.grain() || w.clock && t.At > now.plus(guard):
			ahead += t.N
		default:
			kept = append(kept, t)
		}
	}
	return w.add(kept, now, ahead)
}

// made is how many calls count at a time: in a window of the clock in the fuller of
// those that it touches.
func (w window) made(list []tally, now moment) int {
	if !w.clock {
		return total(list)
	}
	most := 0
	for _, begin := range w.touched(now) {
		for _, t := range list {
			if t.At == begin {
				most = max(most, t.N)
			}
		}
	}
	return most
}

func total(list []tally) (n int) {
	for _, t := range list {
		n += t.N
	}
	return n
}

// free is when so many of the calls do not count any more: of a rolling window when
// the last of them is old enough; of the clock's when the windows are over that
// are too full with most calls.
func (w window) free(list []tally, now moment, calls, most int) moment {
	if !w.clock {
		for _, t := range list {
			if calls -= t.N; calls <= 0 {
				return t.At.plus(w.length)
			}
		}
		return now
	}
	at := now
	for _, begin := range w.touched(now) {
		for _, t := range list {
			if t.At == begin && t.N > most {
				at = begin.plus(w.length + guard)
			}
		}
	}
	return at
}
