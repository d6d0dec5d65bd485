package xerosim

import (
	"net/http"
	"regexp"
	"strings"
)

// condition is one equality of a where clause.
type condition struct{ field, want string }

// clause is a where clause: groups joined by OR of conditions joined by AND,
// which binds closer. One without groups holds for everything.
type clause [][]condition

// hold reports whether a thing with these fields is meant. Case does not matter.
func (w clause) hold(fields map[string]string) bool {
	for _, group := range w {
		fits := true
		for _, c := range group {
			have, known := fields[c.field]
			fits = fits && known && strings.EqualFold(have, c.want)
		}
		if fits {
			return true
		}
	}
	return len(w) == 0
}

var (
	equality = regexp.MustCompile(`^\s*(\w+(?:\.\w+)?)\s*==?\s*(?:"((?:[^"\\]|\\.)*)"|guid\("((?:[^"\\]|\\.)*)"\))`)
	joint    = regexp.MustCompile(`(?i)^(?:\s+(and|or)\s+|\s*(&&|\|\|)\s*)`)
	unescape = strings.NewReplacer(`\"`, `"`, `\\`, `\`)
)

// parseWhere reads equalities joined by AND and OR; nothing else is understood.
func parseWhere(where string) (clause, bool) {
	if where == "" {
		return nil, true
	}
	parsed := clause{nil}
	for {
		m := equality.FindStringSubmatch(where)
		if m == nil {
			return nil, false
		}
		last := &parsed[len(parsed)-1]
		*last = append(*last, condition{m[1], unescape.Replace(m[2] + m[3])})
		where = where[len(m[0]):]
		if strings.TrimSpace(where) == "" {
			return parsed, true
		}
		if m = joint.FindStringSubmatch(where); m == nil {
			return nil, false
		}
		if how := strings.ToLower(m[1] + m[2]); how == "or" || how == "||" {
			parsed = append(parsed, nil)
		}
		where = where[len(m[0]):]
	}
}

// where reads the where clause of a list.
func (s *Sim) where(c call) (clause, *answer) {
	parsed, ok := parseWhere(c.get("where"))
	if !ok || s.cfg.NoAlternatives && len(parsed) > 1 {
		a := exception(http.StatusBadRequest, 16, "QueryParseException", "The where clause could not be parsed")
		return nil, &a
	}
	return parsed, nil
}
