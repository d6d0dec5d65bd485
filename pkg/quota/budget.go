package quota

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// Budget is what is known of an organisation's calls at a moment. Its methods are
// pure: they leave it as it is and answer what it is afterwards. Its clock is the
// database's.
type Budget struct {
	Limits Limits             `json:"limits"` // under which it was asked last
	Calls  map[string][]tally `json:"calls"`  // that were made, by window
	Leases []lease            `json:"leases,omitempty"`
	Last   moment             `json:"last,omitempty"` // when the last call was made
	Others *others            `json:"others,omitempty"`
	Day    *day               `json:"day,omitempty"`
	// Live and Backfill are when those come again who were refused.
	Live     queue `json:"live"`
	Backfill queue `json:"backfill"`
}

// lease is a piece of work that may make calls, one at a time. Those that it may
// still make count as made.
type lease struct {
	ID     int64  `json:"id"`
	Client string `json:"client,omitempty"` // the worker process that has it
	Left   int    `json:"left"`
	At     moment `json:"at"`
}

// others are the calls of the last minute that the provider counts and we did not
// make.
type others struct {
	N  int    `json:"n"`
	At moment `json:"at"`
}

// day is what the provider said last of the calls of its day, less those since.
// Limit is the most that was ever left.
type day struct {
	Left  int    `json:"left"`
	Limit int    `json:"limit"`
	At    moment `json:"at"`
}

// queue is the line of those that were refused: nothing of theirs is to begin
// before From, and the last of them comes at Last. Zero: there is none.
type queue struct {
	From moment `json:"from,omitempty"`
	Last moment `json:"last,omitempty"`
}

// Decode reads a stored budget. One that cannot be read is an empty one: it is
// better to be told off by the provider once than never to call again.
func Decode(stored []byte) Budget {
	var b Budget
	if len(stored) == 0 || json.Unmarshal(stored, &b) != nil {
		return Budget{}
	}
	return b
}

func (b Budget) encode() ([]byte, error) { return json.Marshal(b) }

func (b Budget) clone() Budget {
	b.Calls = maps.Clone(b.Calls)
	for name, list := range b.Calls {
		b.Calls[name] = slices.Clone(list)
	}
	if b.Calls == nil {
		b.Calls = map[string][]tally{}
	}
	b.Leases = slices.Clone(b.Leases)
	if b.Others != nil {
		copied := *b.Others
		b.Others = &copied
	}
	if b.Day != nil {
		copied := *b.Day
		b.Day = &copied
	}
	return b
}

// at is the budget at a moment: a copy in which nothing counts that is over, and
// nothing lies ahead but for queues.
func (b Budget) at(now moment) Budget {
	b = b.clone()
	b.Last = min(b.Last, now)
	windows := windowsOf(b.Limits)
	maps.DeleteFunc(b.Calls, func(name string, _ []tally) bool {
		return !slices.ContainsFunc(windows, func(w window) bool { return w.name == name })
	})
	for _, w := range windows {
		b.Calls[w.name] = w.pruned(b.Calls[w.name], now)
	}
	for i := range b.Leases {
		b.Leases[i].At = min(b.Leases[i].At, now)
	}
	b = b.end(now, func(l lease) bool { return now.since(l.At) >= life })
	if b.Others != nil && (b.Others.At > now || now.since(b.Others.At) > rolling) {
		b.Others = nil
	}
	if b.Day != nil {
		b.Day.At = min(b.Day.At, now)
	}
	return b
}

// end ends leases of which nothing will be heard any more: what they might have
// called, they called, at the last moment that they could.
func (b Budget) end(now moment, is func(lease) bool) Budget {
	kept := b.Leases[:0:0]
	for _, l := range b.Leases {
		if !is(l) {
			kept = append(kept, l)
			continue
		}
		b = b.count(min(now, l.At.plus(beginWithin)), now, l.Left)
	}
	b.Leases = kept
	return b
}

// count counts n calls that were made at a time, not later than now.
func (b Budget) count(at, now moment, n int) Budget {
	for _, w := range windowsOf(b.Limits) {
		b.Calls[w.name] = w.pruned(w.add(b.Calls[w.name], min(at, now), n), now)
	}
	if n > 0 {
		b.Last = max(b.Last, min(at, now))
	}
	return b
}

// EndOf ends the leases of worker processes that are dead: the calls that they had
// under way are over, and those that they might have made count.
func (b Budget) EndOf(at time.Time, clients ...string) Budget {
	now := momentOf(at)
	return b.at(now).end(now, func(l lease) bool { return l.Client != "" && slices.Contains(clients, l.Client) })
}

// Join is the budget of one organisation of which two were kept so far, since it
// was not known to be one.
func (b Budget) Join(other Budget) Budget {
	b = b.clone()
	if b.Limits == (Limits{}) {
		b.Limits = other.Limits
	}
	for name, list := range other.Calls {
		for _, t := range list {
			b.Calls[name] = insert(b.Calls[name], t.At, t.N)
		}
	}
	b.Leases = append(b.Leases, other.Leases...)
	b.Last = max(b.Last, other.Last)
	b.Others = later(b.Others, other.Others, func(o *others) moment { return o.At })
	b.Day = later(b.Day, other.Day, func(d *day) moment { return d.At })
	b.Live = queue{max(b.Live.From, other.Live.From), max(b.Live.Last, other.Live.Last)}
	b.Backfill = queue{max(b.Backfill.From, other.Backfill.From), max(b.Backfill.Last, other.Backfill.Last)}
	return b
}

func later[T any](a, b *T, at func(*T) moment) *T {
	if a == nil || b != nil && at(b) > at(a) {
		return b
	}
	return a
}

// clients are the worker processes that have leases, in order.
func (b Budget) clients() []string {
	named := []string{}
	for _, l := range b.Leases {
		if l.Client != "" {
			named = append(named, l.Client)
		}
	}
	slices.Sort(named)
	return slices.Compact(named)
}

// open is how many calls leases may still make.
func (b Budget) open() (n int) {
	for _, l := range b.Leases {
		n += l.Left
	}
	return n
}

// pending are the calls of a window that was made, and those that leases may still
// make, as of when they were granted; in the order of time.
func (b Budget) pending(w window) []tally {
	list := slices.Clone(b.Calls[w.name])
	for _, l := range b.Leases {
		list = append(list, tally{l.At, l.Left})
	}
	slices.SortStableFunc(list, func(x, y tally) int { return cmp.Compare(x.At, y.At) })
	return list
}

func (b Budget) find(id int64) int {
	return slices.IndexFunc(b.Leases, func(l lease) bool { return l.ID == id })
}
