package dashboard

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// stamp is a time to the second, in UTC as all times on the pages.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

// stampMS is a time to the millisecond.
func stampMS(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000") }

// machineTime is the datetime attribute of a <time>.
func machineTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// relative says how far t is from now: "just now", "4 min ago", "in 12 s".
func relative(now, t time.Time) string {
	d := now.Sub(t)
	switch {
	case d >= time.Second:
		return span(d) + " ago"
	case d <= -time.Second:
		return "in " + span(-d)
	case d < 0:
		return "now"
	}
	return "just now"
}

// span is a duration in one unit, for reading at a glance.
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// took is a duration with as many digits as matter.
func took(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(max(d, 0).Microseconds())/1000)
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d d %d h", int(d.Hours())/24, int(d.Hours())%24)
}

// safeLink is a provider's address if a browser may go there: http or https
// with a host, nothing else. The provider's text is not trusted: javascript:
// and data: addresses are shown as text only.
func safeLink(address *string) string {
	if address == nil {
		return ""
	}
	u, err := url.Parse(*address)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	return u.String()
}

// maxShown is how much of a JSON document a page shows.
const maxShown = 512 << 10

// pretty indents JSON and leaves its numbers as they are; what is no JSON stays
// as it is. Empty for nothing, and for null.
func pretty(raw []byte) string {
	trimmed := bytes.TrimSpace(raw)
	if len(trimmed) == 0 || string(trimmed) == "null" {
		return ""
	}
	var out bytes.Buffer
	if json.Indent(&out, trimmed, "", "  ") != nil {
		out.Reset()
		out.Write(trimmed)
	}
	shown := out.String()
	if len(shown) > maxShown {
		shown = shown[:maxShown] + "\n… cut here; `towpath runs show --json` prints all of it"
	}
	// What Go's encoder escapes for the sake of HTML the templates escape themselves: a
	// person reads "Smith & Sons". An escaped backslash stays one.
	return strings.NewReplacer(`\\`, `\\`, `\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(strings.ToValidUTF8(shown, "\uFFFD"))
}

// documentNumber is the number that people know a document by, out of a
// webhook's body; empty if it names none.
func documentNumber(body []byte) string {
	var event struct {
		Payload json.RawMessage `json:"payload"`
	}
	var payload struct {
		IncrementID json.RawMessage `json:"increment_id"`
	}
	if json.Unmarshal(body, &event) != nil || json.Unmarshal(event.Payload, &payload) != nil {
		return ""
	}
	var number string
	if json.Unmarshal(payload.IncrementID, &number) != nil {
		number = string(payload.IncrementID)
	}
	number = strings.TrimSpace(strings.ToValidUTF8(number, "\uFFFD"))
	if len(number) > 64 || number == "null" || strings.HasPrefix(number, "{") || strings.HasPrefix(number, "[") {
		return ""
	}
	return number
}

// grouped is a number with its thousands set apart.
func grouped(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for at := len(digits) - 3; at > 0 && digits[at-1] != '-'; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}
