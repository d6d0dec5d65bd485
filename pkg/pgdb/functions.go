package pgdb

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// functionsTable records every text of a function that was ever applied, the
// last one with the highest id. The earlier ones tell an older binary from a
// newer one: see markFunctions.
const functionsTable = `
	CREATE TABLE public.schema_functions (
		id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		name text NOT NULL,
		checksum text NOT NULL,
		applied_at timestamptz NOT NULL DEFAULT now()
	)`

var (
	functionName  = regexp.MustCompile(`^([a-z0-9_]+)\.sql$`)
	functionNeeds = regexp.MustCompile(`(?m)^-- needs: ([a-z0-9_]+)$`)
)

// readFunctions returns the files of functions/, by name, but each behind those
// that it names in a line "-- needs: name": what a view or a trigger's condition
// calls must be there before it. A function's body may call any other.
func readFunctions(files fs.FS) ([]Migration, error) {
	entries, err := fs.ReadDir(files, "functions") // sorted by name
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read functions: %w", err)
	}
	byName := map[string]Migration{}
	var names []string
	for _, entry := range entries {
		parts := functionName.FindStringSubmatch(entry.Name())
		if parts == nil {
			return nil, fmt.Errorf("read functions: %q is not named name.sql", entry.Name())
		}
		text, err := fs.ReadFile(files, "functions/"+entry.Name())
		if err != nil {
			return nil, fmt.Errorf("read functions: %w", err)
		}
		names = append(names, parts[1])
		byName[parts[1]] = sourceFile(Migration{Source: SourceFunction, Name: parts[1]}, text)
	}
	return inOrder(names, byName)
}

// sourceFile completes a migration with its file's text.
func sourceFile(m Migration, text []byte) Migration {
	// A checkout may have rewritten the line ends, which changes nothing.
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	sum := sha256.Sum256(text)
	m.State, m.text, m.checksum = StatePending, string(text), hex.EncodeToString(sum[:])
	return m
}

func inOrder(names []string, byName map[string]Migration) ([]Migration, error) {
	var ordered []Migration
	state := map[string]int{} // 1: its needs are being looked at, 2: placed
	var place func(name string) error
	place = func(name string) error {
		m, known := byName[name]
		switch {
		case !known:
			return fmt.Errorf("read functions: %q is needed and not there", name)
		case state[name] == 1:
			return fmt.Errorf("read functions: %q needs itself", name)
		case state[name] == 2:
			return nil
		}
		state[name] = 1
		for _, need := range functionNeeds.FindAllStringSubmatch(m.text, -1) {
			if err := place(need[1]); err != nil {
				return err
			}
		}
		state[name] = 2
		ordered = append(ordered, m)
		return nil
	}
	for _, name := range names {
		if err := place(name); err != nil {
			return nil, err
		}
	}
	return ordered, nil
}

// markFunctions says of every function how the database's stands to the file.
// Checksums have no order, so this is how an older binary is known: each of its
// texts that differs from the database's was the database's once, or the
// database has migrations that it does not know. It must not put them back
// while a newer version runs. (A release that only took back what an earlier one
// did, to the letter, would look like one; a comment is enough to differ.)
func markFunctions(ctx context.Context, db *pgxpool.Pool, functions []Migration, newer bool) error {
	rows, _ := db.Query(ctx, `SELECT to_regclass('public.schema_functions') IS NOT NULL`) // the collector returns the error
	exists, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[bool])
	if err != nil || !exists {
		return err
	}
	current, ever, err := recordedFunctions(ctx, db)
	if err != nil {
		return err
	}
	older := true
	for _, m := range functions {
		older = older && ever[m.Name+" "+m.checksum]
	}
	for i, m := range functions {
		functions[i].AppliedAt = current[m.Name].AppliedAt
		switch {
		case current[m.Name].checksum == m.checksum:
			functions[i].State = StateApplied
		case older || newer:
			functions[i].State = StateNewer
		}
	}
	return nil
}

// recordedFunctions returns what stands now by name, and all that ever did as
// "name checksum".
func recordedFunctions(ctx context.Context, db *pgxpool.Pool) (current map[string]Migration, ever map[string]bool, err error) {
	rows, _ := db.Query(ctx, `
		SELECT name, checksum, applied_at
		FROM public.schema_functions
		ORDER BY id`)
	records, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m Migration, err error) {
		return m, row.Scan(&m.Name, &m.checksum, &m.AppliedAt)
	})
	current, ever = map[string]Migration{}, map[string]bool{}
	for _, m := range records {
		current[m.Name] = m // the last of its name
		ever[m.Name+" "+m.checksum] = true
	}
	return current, ever, err
}

// applyFunctions puts all of this binary's functions in place and records those
// that changed. All: a migration may have dropped one on its way.
func applyFunctions(ctx context.Context, tx pgx.Tx, functions []Migration) ([]Applied, error) {
	// A body may name what comes after it.
	if _, err := tx.Exec(ctx, `SET LOCAL check_function_bodies = off`); err != nil {
		return nil, fmt.Errorf("apply functions: %w", err)
	}
	var applied []Applied
	var names []string
	for _, m := range functions {
		began := time.Now()
		if _, err := tx.Exec(ctx, m.text); err != nil {
			return nil, fmt.Errorf("apply %s: %w", m.label(), atLine(m.text, err))
		}
		names = append(names, m.Name)
		if m.State == StateApplied {
			continue
		}
		if _, err := tx.Exec(ctx, `INSERT INTO public.schema_functions (name, checksum) VALUES ($1, $2)`, m.Name, m.checksum); err != nil {
			return nil, fmt.Errorf("record %s: %w", m.label(), err)
		}
		applied = append(applied, Applied{Source: m.Source, Name: m.Name, TookMS: time.Since(began).Milliseconds()})
	}
	// What a migration dropped is not there any more.
	if _, err := tx.Exec(ctx, `DELETE FROM public.schema_functions WHERE name <> ALL ($1)`, names); err != nil {
		return nil, fmt.Errorf("forget dropped functions: %w", err)
	}
	return applied, nil
}
