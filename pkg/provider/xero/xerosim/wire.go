package xerosim

import (
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"strconv"
	"time"
)

const zeroGUID = "00000000-0000-0000-0000-000000000000"

// fields is a JSON object of an answer.
type fields map[string]any

// num is a number of an answer with two to four decimals.
type num struct {
	value  *big.Rat
	quoted bool
}

func (n num) MarshalJSON() ([]byte, error) {
	text := decimalText(n.value)
	if n.quoted {
		return json.Marshal(text)
	}
	return []byte(text), nil
}

func decimalText(r *big.Rat) string {
	text := r.FloatString(4)
	for range 2 {
		if text[len(text)-1] == '0' {
			text = text[:len(text)-1]
		}
	}
	return text
}

func (s *Sim) num(r *big.Rat) num { return num{value: r, quoted: s.cfg.QuotedNumbers} }

func (s *Sim) flag(b bool) any {
	if s.cfg.QuotedNumbers {
		return strconv.FormatBool(b)
	}
	return b
}

// msDay is a document's day in Xero's form: midnight UTC in milliseconds.
func msDay(day string) string {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("/Date(%d+0000)/", t.UnixMilli())
}

func isoDay(day string) string { return day + "T00:00:00" }

// document wraps lists into Xero's envelope.
func (s *Sim) document(status int, body fields) answer {
	body["Id"] = s.guid()
	body["Status"] = "OK"
	body["ProviderName"] = "xerosim"
	body["DateTimeUTC"] = fmt.Sprintf("/Date(%d)/", s.cfg.Now().UnixMilli())
	return jsonAnswer(status, body)
}

func jsonAnswer(status int, body any) answer {
	raw, err := json.Marshal(body)
	if err != nil {
		return answer{status: http.StatusInternalServerError, header: http.Header{}, body: []byte(err.Error())}
	}
	return answer{status: status, header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}, body: raw}
}

func exception(status, number int, kind, message string) answer {
	return jsonAnswer(status, fields{"ErrorNumber": number, "Type": kind, "Message": message})
}

func problem(status int, title, detail string) *answer {
	a := jsonAnswer(status, fields{"Type": nil, "Title": title, "Status": status, "Detail": detail, "Instance": zeroGUID, "Extensions": fields{}})
	return &a
}

// guid makes the next id; the same sequence of calls gives the same ids.
func (s *Sim) guid() string {
	s.nextID++
	return fmt.Sprintf("5eed0000-0000-4000-8000-%012x", s.nextID)
}

func messages(texts []string) []fields {
	list := []fields{}
	for _, t := range texts {
		list = append(list, fields{"Message": t})
	}
	return list
}
