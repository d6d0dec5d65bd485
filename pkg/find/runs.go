package find

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"towpath/pkg/dbsqlc"
)

// Most is how many runs a search finds at most, of those that bear its words the newest:
// a first name that half of the buyers have is no search. Of words that one run in fifty
// bears, or more, those older than the newest 250,000 runs are not found.
const Most = 5000

// Request is what is looked for: Text as a person wrote it, received from Since and
// before Until; nil: at any time.
type Request struct {
	Text         string
	Since, Until *time.Time
}

// Runs are the ids of the runs that bear every word of the text or begin with it, that
// have this number at the provider, or this id. An empty answer is not nil: a list that
// is narrowed to it is empty.
func Runs(ctx context.Context, db dbsqlc.DBTX, r Request) ([]uuid.UUID, error) {
	found := []uuid.UUID{}
	text := strings.TrimPrefix(clean(r.Text), "#")
	if text == "" {
		return found, nil
	}
	if id, err := uuid.Parse(text); err == nil {
		return []uuid.UUID{id}, nil
	}
	ids, err := byWords(ctx, db, r, query(text))
	if err != nil {
		return nil, fmt.Errorf("find runs by their words: %w", err)
	}
	found = append(found, ids...)
	queries := dbsqlc.New()
	if ids, err = queries.RunSearchReference(ctx, db, dbsqlc.RunSearchReferenceParams{Reference: text, MaxRows: Most}); err != nil {
		return nil, fmt.Errorf("find runs by the provider's number: %w", err)
	}
	found = append(found, ids...)
	if strings.ContainsAny(text, " @") {
		return found, nil // no number
	}
	if ids, err = queries.RunSearchUnread(ctx, db, text); err != nil {
		return nil, fmt.Errorf("find runs by the number in their events: %w", err)
	}
	return append(found, ids...), nil
}

// Of how many of the newest runs it is told whether words are rare, of how many they are
// frequent from, and how far back frequent ones are looked for.
const sampled, frequent, farthest = 5000, 100, 250_000

// byWords are the newest Most that bear the words. The index of words gives every run that
// bears one, so frequent words are looked for among the newest runs.
func byWords(ctx context.Context, db dbsqlc.DBTX, r Request, words string) ([]uuid.UUID, error) {
	queries := dbsqlc.New()
	recent := dbsqlc.RunSearchRecentParams{Words: words, Since: r.Since, Until: r.Until, Newest: sampled, MaxRows: Most}
	ids, err := queries.RunSearchRecent(ctx, db, recent)
	if err != nil {
		return nil, err
	}
	if len(ids) < frequent {
		return queries.RunSearchTerms(ctx, db, dbsqlc.RunSearchTermsParams{Words: words, Since: r.Since, Until: r.Until, MaxRows: Most})
	}
	recent.Newest = int32(min(2*Most*sampled/len(ids), farthest))
	return queries.RunSearchRecent(ctx, db, recent)
}

// sum is an amount as people write it: a currency before or after it, a comma for the
// point or between the thousands.
var sum = regexp.MustCompile(`^[€$£]?(\d{1,3}(?:[,.' ]?\d{3})*|\d+)[.,](\d{2})[€$£]?$`)

// query is the text as a tsquery: every word, as a whole or, from three letters on, as a
// beginning.
func query(text string) string {
	words := []string{}
	for _, word := range strings.Fields(strings.ToLower(text)) {
		if m := sum.FindStringSubmatch(word); m != nil {
			word = strings.NewReplacer(",", "", ".", "", "'", "").Replace(m[1]) + "." + m[2]
		}
		word = strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(shortened(word))
		if word = "'" + word + "'"; utf8.RuneCountInString(word) >= len("''")+3 {
			word += ":*"
		}
		words = append(words, word)
	}
	return strings.Join(words, " & ")
}
