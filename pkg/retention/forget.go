package retention

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dbsqlc"
)

// Mention is a run that names a person, or is about the same document as one that does.
type Mention = dbsqlc.ForgetRunsRow

// scanSize is how many runs a statement of Find reads.
const scanSize = 1000

// Find looks through every text that is stored of any run for an e-mail, in whatever case,
// and adds the runs of the same documents. step is told how many were looked through.
func Find(ctx context.Context, pool *pgxpool.Pool, email string, step func(runs int64)) ([]Mention, error) {
	queries := dbsqlc.New()
	email = strings.ToLower(strings.TrimSpace(email))
	page := dbsqlc.ForgetScanParams{
		AfterAt: time.Time{}, MaxRows: scanSize, Email: email, Pattern: whole(email), Escaped: escaped(email), EscapedPattern: whole(escaped(email)),
	}
	var named []uuid.UUID
	for looked := int64(0); ; step(looked) {
		rows, err := queries.ForgetScan(ctx, pool, page)
		if err != nil {
			return nil, fmt.Errorf("look through runs: %w", err)
		}
		for _, row := range rows {
			if row.Named {
				named = append(named, row.ID)
			}
		}
		if looked += int64(len(rows)); len(rows) < scanSize {
			step(looked)
			break
		}
		last := rows[len(rows)-1]
		page.AfterAt, page.AfterID = last.ReceivedAt, last.ID
	}
	runs, err := queries.ForgetRuns(ctx, pool, named)
	if err != nil {
		return nil, fmt.Errorf("read what was found: %w", err)
	}
	return runs, nil
}

// whole is a pattern of an address that is not a part of another. A backslash and a letter
// before it are an escape of JSON.
func whole(email string) string {
	return `(^|[^a-z0-9._%+-]|\\[bfnrt])` + regexp.QuoteMeta(email) + `($|[^a-z0-9.-]|\.($|[^a-z0-9]))`
}

// escaped is an address as JSON of ASCII has it, in lower case.
func escaped(email string) string {
	quoted := strconv.QuoteToASCII(email)
	return strings.ToLower(quoted[1 : len(quoted)-1])
}

// Estimate is about how many runs Find looks through.
func Estimate(ctx context.Context, pool *pgxpool.Pool) (int64, error) {
	var n int64
	err := pool.QueryRow(ctx, "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'public.sync_runs'::regclass").Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("estimate runs: %w", err)
	}
	return n, nil
}

// forgotten is why, in the history of each run; it names nobody.
const forgotten = "a person asked to be forgotten"

// Forget blanks runs that have ended, a set a commit; it may be repeated. What else keeps
// their texts for a while, River's finished jobs, is blanked in the same commit.
func Forget(ctx context.Context, pool *pgxpool.Pool, ids []uuid.UUID, who string) (Blanked, error) {
	var sum Blanked
	for set := range slices.Chunk(ids, setSize) {
		err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			done, err := blank(ctx, tx, set, who, forgotten)
			if err != nil {
				return err
			}
			texts := make([]string, len(set))
			for i, id := range set {
				texts[i] = id.String()
			}
			if _, err := dbsqlc.New().ForgetJobs(ctx, tx, texts); err != nil {
				return fmt.Errorf("blank finished jobs: %w", err)
			}
			sum.Runs += done.Runs
			sum.Bytes += done.Bytes
			return nil
		})
		if err != nil {
			return sum, err
		}
	}
	return sum, nil
}

// IsEmail reports whether a text can be an address: short of that, it would be found in
// what has nothing to do with a person.
func IsEmail(text string) bool {
	name, host, ok := strings.Cut(strings.TrimSpace(text), "@")
	return ok && name != "" && utf8.RuneCountInString(host) > 2 && !strings.ContainsAny(text, " \t\n\"\\,;<>") && !strings.Contains(host, "@")
}
