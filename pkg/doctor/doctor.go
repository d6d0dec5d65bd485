// Package doctor looks at an installation from outside: its database, its queue, and
// the shops and ledgers that it speaks to. It changes nothing. What the promises ask
// of the data is package verify's.
package doctor

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/clients"
)

// Level is how bad a finding is.
type Level string

// The levels, from harmless to harmful.
const (
	OK      Level = "ok"
	Warning Level = "warning" // it works; something is not as it should be
	Wrong   Level = "wrong"   // something does not work, or loses data when the machine fails
)

// Finding is what one check found.
type Finding struct {
	Subject string `json:"subject"` // what was looked at, e.g. "database" or "shop Atelier"
	Check   string `json:"check"`   // one word, the same in every version
	Level   Level  `json:"level"`
	Text    string `json:"text"`
	Do      string `json:"do,omitempty"` // what mends it; empty where nothing need be done
}

// Config is what the doctor looks at.
type Config struct {
	Pool    *pgxpool.Pool
	BaseURL string // where shops and people reach this Towpath; "" = not said
	// Clients makes the clients of shops and ledgers. An error is why there are none,
	// such as a key that is not given: then they are not asked.
	Clients func() (clients.Factory, error)
	// CheckKey opens a sample of the stored secrets.
	CheckKey func(context.Context) error
	// Identity asks the identity provider of the pages for what it says of itself; nil:
	// there is none.
	Identity func(context.Context) (string, error)
	// ProcessConns is how many connections one serve process opens at most.
	ProcessConns int
	Now          func() time.Time // nil: time.Now
}

// partnersAtOnce is how many shops and ledgers are asked at a time: one that hangs
// holds up an eighth.
const partnersAtOnce = 8

// Examine makes every check. A check that cannot look is a finding of its own; of a
// database that was never migrated only what the server says of itself is told.
func Examine(ctx context.Context, cfg Config) []Finding {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	found := cfg.database(ctx)
	schema, usable := cfg.migrations(ctx)
	found = append(found, schema...)
	found = append(found, cfg.address()...)
	found = append(found, cfg.identity(ctx)...)
	if !usable {
		return found
	}
	key := cfg.key(ctx)
	found = append(found, key)
	for _, check := range []func(context.Context) []Finding{cfg.restored, cfg.queue, cfg.held, cfg.size} {
		found = append(found, check(ctx)...)
	}
	if key.Level != OK { // with another key each of them would look broken
		return append(found, partners.warn("asked", key.Do, "no shop and no ledger was asked: the secrets do not open"))
	}
	return append(found, cfg.partners(ctx)...)
}

// Worst is the highest level of the findings.
func Worst(found []Finding) Level {
	worst := OK
	for _, f := range found {
		if f.Level == Wrong || f.Level == Warning && worst == OK {
			worst = f.Level
		}
	}
	return worst
}

// about makes the findings of one subject.
type about string

func (a about) ok(check, format string, args ...any) Finding {
	return Finding{Subject: string(a), Check: check, Level: OK, Text: fmt.Sprintf(format, args...)}
}

func (a about) warn(check, do, format string, args ...any) Finding {
	return Finding{Subject: string(a), Check: check, Level: Warning, Text: fmt.Sprintf(format, args...), Do: do}
}

func (a about) wrong(check, do, format string, args ...any) Finding {
	return Finding{Subject: string(a), Check: check, Level: Wrong, Text: fmt.Sprintf(format, args...), Do: do}
}

// blind is a check that could not look.
func (a about) blind(check string, err error) Finding {
	return a.wrong(check, "mend that first; the rest of this check was not made", "could not look: %v", err)
}

// each asks n subjects, some at a time, and answers in their order.
func each(n int, ask func(i int) []Finding) []Finding {
	answers := make([][]Finding, n)
	places := make(chan struct{}, partnersAtOnce)
	var all sync.WaitGroup
	for i := range n {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			answers[i] = ask(i)
		})
	}
	all.Wait()
	var found []Finding
	for _, a := range answers {
		found = append(found, a...)
	}
	return found
}
