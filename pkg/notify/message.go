package notify

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
)

// The types of messages, as Standard Webhooks names them.
const (
	TypeConnections = "connections.changed"
	TypeRuns        = "runs.need_attention"
	TypeSilent      = "shops.silent"
	TypeDay         = "day.summary"
	TypeTest        = "test"
)

// Message is what is told: the webhook's body, and the e-mail's text.
type Message struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      Data      `json:"data"`
}

// Data is a message for people and for machines.
type Data struct {
	Title  string   `json:"title"`
	Lines  []string `json:"lines"`
	URL    string   `json:"url"` // of the page
	Groups []Group  `json:"groups,omitempty"`
}

// Group is what is alike, counted.
type Group struct {
	Tenant   string     `json:"tenant"`
	Binding  *uuid.UUID `json:"binding_id,omitempty"`
	Provider string     `json:"provider,omitempty"`
	Status   string     `json:"status"`
	Reason   string     `json:"reason,omitempty"`
	Runs     int64      `json:"runs,omitempty"`

	unreadable int64 // of the runs, those that failed over a shop's answer that cannot be read
}

// parcel is a message on its way by one channel.
type parcel struct {
	id   string // the same at every attempt
	body []byte // a Message, as it is sent
}

// idOf is a message's id as receivers see it.
func idOf(id uuid.UUID) string { return "msg_" + id.String() }

func (p parcel) message() (Message, error) {
	var m Message
	if err := json.Unmarshal(p.body, &m); err != nil {
		return m, fmt.Errorf("read message %s: %w", p.id, err)
	}
	return m, nil
}

// text is the message as a mail has it.
func (m Message) text() string {
	return strings.Join(m.Data.Lines, "\n") + "\n\n" + m.Data.URL + "\n"
}

// oneLine is a name as a line may hold it.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

func counted(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
