package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"towpath/pkg/pgdb"
)

type migrateCommand struct {
	Up     migrateUp     `cmd:"" help:"Apply what is pending; may be repeated."`
	Status migrateStatus `cmd:"" help:"What is applied and what is pending; exit code 1 if anything is pending."`
}

type migrateUp struct {
	database
	printed
	BesideOthers bool `name:"beside-others" help:"Also into a database that has tables of somebody else; without it that is refused."`
}

// Run applies River's migrations and ours.
func (c migrateUp) Run(ctx context.Context, io console) error {
	pool, err := c.open(ctx, io)
	if err != nil {
		return err
	}
	defer pool.Close()
	migrate := pgdb.Migrate
	if c.BesideOthers {
		migrate = pgdb.MigrateBeside
	}
	applied, err := migrate(ctx, pool)
	if c.JSON {
		if applied == nil {
			applied = []pgdb.Applied{}
		}
		if printErr := printJSON(io.out, applied); printErr != nil {
			return printErr
		}
		return err
	}
	for _, a := range applied {
		fmt.Fprintf(io.out, "applied %s %s%s (%d ms)\n", a.Source, versionText(a.Version), a.Name, a.TookMS)
	}
	if err == nil {
		fmt.Fprintln(io.out, "the database is up to date")
	}
	return err
}

// versionText is a migration's number and a blank; functions have none.
func versionText(version int) string {
	if version == 0 {
		return ""
	}
	return fmt.Sprint(version, " ")
}

type migrateStatus struct {
	database
	printed
}

// Run prints every migration and its state; exit code 1 if any is pending.
func (c migrateStatus) Run(ctx context.Context, io console) error {
	pool, err := c.open(ctx, io)
	if err != nil {
		return err
	}
	defer pool.Close()
	status, err := pgdb.ReadStatus(ctx, pool)
	if err != nil {
		return err
	}
	err = c.print(io, status)
	if err == nil && len(status.Pending()) > 0 {
		return errSilent
	}
	return err
}

func (c migrateStatus) print(io console, status pgdb.Status) error {
	if c.JSON {
		return printJSON(io.out, status.Migrations)
	}
	rows := [][]string{}
	for _, m := range status.Migrations {
		at := ""
		if m.AppliedAt != nil {
			at = m.AppliedAt.Format(time.RFC3339)
		}
		rows = append(rows, []string{m.Source, strings.TrimSpace(versionText(m.Version)), m.Name, string(m.State), at})
	}
	return printTable(io.out, []string{"source", "version", "name", "state", "applied_at"}, rows)
}
