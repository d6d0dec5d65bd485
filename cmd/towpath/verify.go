package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/secret"
	"towpath/pkg/verify"
)

type verifyCommand struct {
	database
	printed
}

// Run checks every promise in one snapshot; exit code 1 if one is broken.
func (c verifyCommand) Run(ctx context.Context, io console) error {
	pool, err := c.open(ctx, io)
	if err != nil {
		return err
	}
	defer pool.Close()
	findings, err := verify.Check(ctx, pool)
	if err != nil {
		return err
	}
	secrets, err := verifySecrets(ctx, io, pool)
	if err != nil {
		return err
	}
	findings = append(findings, secrets...)
	broken := false
	for _, f := range findings {
		broken = broken || f.Broken > 0
	}
	if c.JSON {
		err = printJSON(io.out, findings)
	} else {
		printFindings(io, findings)
	}
	if err == nil && broken {
		return errSilent
	}
	return err
}

// verifySecrets opens a sample of every sealed column. Without a key at hand it
// cannot, and says so.
func verifySecrets(ctx context.Context, io console, pool *pgxpool.Pool) ([]verify.Finding, error) {
	if set, err := io.setting("TOWPATH_SECRET_KEY"); err == nil && set == "" {
		fmt.Fprintln(io.err, "towpath: without TOWPATH_SECRET_KEY it is not checked whether the stored secrets open")
		return nil, nil
	}
	f := verify.Finding{Promise: verify.Promise{Name: "secrets", Text: "the stored secrets open with TOWPATH_SECRET_KEY (a sample of each column)"}, Samples: []string{}}
	_, err := io.sealing(ctx, pool)
	if errors.Is(err, secret.ErrUnknownKey) || errors.Is(err, secret.ErrNotOpened) {
		f.Broken, f.Samples, err = 1, []string{err.Error()}, nil
	}
	return []verify.Finding{f}, err
}

func printFindings(io console, findings []verify.Finding) {
	for _, f := range findings {
		mark := "ok    "
		if f.Broken > 0 {
			mark = "BROKEN"
		}
		fmt.Fprintf(io.out, "%s  %-20s %s\n", mark, f.Name, f.Text)
		if f.Broken > 0 {
			fmt.Fprintf(io.out, "        %d found, for instance:\n", f.Broken)
		}
		for _, sample := range f.Samples {
			fmt.Fprintln(io.out, "        "+sample)
		}
	}
}
