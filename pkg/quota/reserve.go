package quota

import (
	"math"
	"time"
)

// Ask is a wish for calls.
type Ask struct {
	Calls    int
	Load     Load
	Backfill bool
	Lease    int64  // to be lengthened, or the number of a new one
	Client   string // the worker process that asks, if it is one
}

// Answer is what came of it: calls for a lease, of which the first may begin now; or
// how long to wait.
type Answer struct {
	Granted int
	Wait    time.Duration
}

// Reserve grants as many calls as there is room for, two at least where as many are
// asked for: a piece of work asks for all that it may need before it begins, so that
// it does not break off half-way.
//
//   - The windows: what was made in each and what leases may still make is no more
//     than its limit, so that the provider's own windows hold, wherever they begin.
//   - Backfill leaves a part of each window, one call at once and a tenth of the day
//     to what happens now.
//   - What others call, as the answers tell, is left to them.
//   - The day: what the provider said is believed for an hour; then one call finds
//     out whether a new day has begun, and the others wait for its answer.
//   - Pace: work that carries less than it could begins at once while only its part
//     of the minute is used (Load); then such calls keep a distance, so that the
//     next carries more and nothing waits for a whole minute.
//   - At once: a lease makes one call at a time, so there are as many leases.
//
// If the process dies with a lease, its calls count as made.
func (b Budget) Reserve(at time.Time, l Limits, ask Ask) (Budget, Answer) {
	now := momentOf(at)
	b.Limits = l
	b = b.at(now)
	windows := windowsOf(l)
	calls := max(ask.Calls, 1)
	for _, w := range windows {
		calls = min(calls, b.room(w, ask.Backfill))
	}
	mine := b.find(ask.Lease)
	if slot, refused := b.refused(now, ask, min(calls, 2), mine < 0); refused {
		return b.postponed(now, slot, ask.Backfill)
	}
	atOnce := l.AtOnce
	if ask.Backfill {
		atOnce = backfillAtOnce(l)
	}
	if mine < 0 && len(b.Leases) >= atOnce {
		return b.crowded(now, ask.Backfill)
	}
	for _, w := range windows {
		calls = min(calls, b.room(w, ask.Backfill)-w.made(b.Calls[w.name], now)-b.open())
	}
	if mine < 0 {
		b.Leases = append(b.Leases, lease{ID: ask.Lease, Client: ask.Client})
		mine = len(b.Leases) - 1
	}
	b.Leases[mine].Left += calls
	b.Leases[mine].At = now
	if b.Day != nil {
		// Whoever looks whether a new day has begun takes the place of the word: the
		// others wait for the answer to it.
		if !b.dayFresh(now) {
			b.Day.At = now
		}
		b.Day.Left = max(b.Day.Left, 0) - calls
	}
	return b, Answer{Granted: calls}
}

// Renew lets a lease begin its calls for some time more; false: it is over, and its
// calls count as made.
func (b Budget) Renew(at time.Time, id int64) (Budget, bool) {
	now := momentOf(at)
	b = b.at(now)
	i := b.find(id)
	if i < 0 {
		return b, false
	}
	b.Leases[i].At = now
	return b, true
}

// room is how many calls a window may hold for one more.
func (b Budget) room(w window, backfill bool) int {
	n := w.limit
	if backfill {
		n -= w.kept
	}
	if b.Others != nil && w.name == "minute" {
		n -= b.Others.N
	}
	return max(1, n)
}

func (b Budget) dayFresh(now moment) bool { return now.since(b.Day.At) < freshness }

// refused answers since when as many calls could be had, where they cannot now.
func (b Budget) refused(now moment, ask Ask, calls int, first bool) (slot moment, refused bool) {
	if d := b.Day; d != nil && b.dayFresh(now) && d.Left <= b.dayKept(ask.Backfill) {
		return d.At.plus(freshness), true
	}
	for _, w := range windowsOf(b.Limits) {
		room := b.room(w, ask.Backfill)
		used := w.made(b.Calls[w.name], now) + b.open()
		if used+calls <= room {
			continue
		}
		list := b.Calls[w.name]
		if !w.clock {
			list = b.pending(w)
		}
		slot, refused = max(slot, w.free(list, now, used+calls-room, room-calls-b.open())), true
	}
	if refused || !first {
		return slot, refused
	}
	return b.paced(now, ask)
}

// paced is when the next call may begin that carries less than it could.
func (b Budget) paced(now moment, ask Ask) (slot moment, wait bool) {
	w := windowsOf(b.Limits)[0]
	room := b.room(w, ask.Backfill)
	free := int(math.Floor(float64(room) * float64(ask.Load)))
	last := b.Last
	for _, l := range b.Leases {
		last = max(last, l.At)
	}
	if free >= room || last == 0 || w.made(b.Calls[w.name], now)+b.open() < free {
		return 0, false
	}
	slot = last.plus(w.length / time.Duration(room-free))
	return slot, slot > now
}

// dayKept is how many calls of the day are not for backfill.
func (b Budget) dayKept(backfill bool) int {
	if backfill {
		return b.Day.Limit / dayPart
	}
	return 0
}

// postponed gives each of those that are refused a slot of its own, and lets nothing
// begin before the first.
func (b Budget) postponed(now, slot moment, backfill bool) (Budget, Answer) {
	w := windowsOf(b.Limits)[0]
	if slot <= now { // leases are in the way, which are soon returned
		slot = now.plus(crowdedWait)
	}
	slot = max(slot, now.plus(shortestWait))
	line := &b.Live
	if backfill {
		line = &b.Backfill
	}
	mine := slot
	if line.Last < slot.plus(w.length) {
		mine = max(mine, line.Last.plus(w.length/time.Duration(b.room(w, backfill))))
	}
	*line = queue{From: slot, Last: mine}
	return b, Answer{Wait: mine.since(now)}
}

// crowded lets nothing begin for a moment, since too many calls are under way.
func (b Budget) crowded(now moment, backfill bool) (Budget, Answer) {
	until := now.plus(crowdedWait)
	b.Backfill.From = max(b.Backfill.From, until)
	if !backfill {
		b.Live.From = max(b.Live.From, until)
	}
	return b, Answer{Wait: crowdedWait}
}
