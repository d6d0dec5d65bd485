package quota

import (
	"slices"
	"time"
)

// Report is what became of a lease.
type Report struct {
	Lease int64
	Made  []time.Time // when its calls began that were not reported yet
	More  bool        // one of them is under way still: the lease goes on without further calls
	Word  Word
}

// Word is what an answer said of the calls that are left, and when it came; nil:
// nothing.
type Word struct {
	At          time.Time
	Minute, Day *int
}

// Settle counts what a lease has called and returns what it has not; without
// effect where the lease is over. If it is lost, the lease ends with its process, or
// with its time.
func (b Budget) Settle(at time.Time, r Report) Budget {
	now := momentOf(at)
	b = b.at(now)
	i := b.find(r.Lease)
	if i < 0 {
		return b // what it could call was counted when it ended
	}
	unmade := b.Leases[i].Left - len(r.Made)
	b.Leases[i].Left = 0
	if !r.More {
		b.Leases = slices.Delete(b.Leases, i, i+1)
		b = b.vacated(now)
	}
	for _, made := range r.Made {
		b = b.count(momentOf(made), now, 1)
	}
	if unmade > 0 {
		if b.Day != nil {
			b.Day.Left += unmade
		}
		b.Live, b.Backfill = queue{}, queue{} // whoever waits for a slot may have one now
	}
	return b.heard(now, r.Word)
}

// vacated lets those go on that wait since too many calls were under way.
func (b Budget) vacated(now moment) Budget {
	for _, line := range []*queue{&b.Live, &b.Backfill} {
		if line.From <= now.plus(crowdedWait) {
			line.From = 0
		}
	}
	return b
}

// mostCalls is far above every limit that a provider has for a day: a larger
// number is not one of calls.
const mostCalls = 100_000

// heard takes the provider's word, unless a later one is known. The calls of others
// are guessed at from what is left of the minute: where the guess is too low, the
// provider's 429 says exactly how long to wait, while one that is too high would
// waste calls.
func (b Budget) heard(now moment, word Word) Budget {
	at := min(momentOf(word.At), now)
	if n := word.Minute; n != nil && *n <= mostCalls && (b.Others == nil || b.Others.At <= at) {
		w := windowsOf(b.Limits)[0]
		ours := w.made(b.Calls[w.name], now) + b.open()
		b.Others = &others{N: max(0, b.Limits.PerMinute-max(*n, 0)-ours), At: at}
	}
	n := word.Day
	if n == nil || *n > mostCalls {
		return b
	}
	// What leases may still call, the provider may not know of yet.
	heard := day{Left: max(*n, 0) - b.open(), Limit: max(*n, 0), At: at}
	if b.Day == nil {
		b.Day = &heard
		return b
	}
	if at < b.Day.At {
		return b
	}
	w := windowsOf(b.Limits)[0]
	if *n > b.Day.Left+b.open()+w.made(b.Calls[w.name], now) {
		b.Live.From, b.Backfill.From = 0, 0 // a new day: nobody waits for the old one
	}
	heard.Limit = max(heard.Limit, b.Day.Limit)
	b.Day = &heard
	return b
}
