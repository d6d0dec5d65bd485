package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/pgdb"
	"towpath/pkg/secret"
	"towpath/pkg/verify"
)

type verifyCommand struct {
	database
	printed
	Since string `placeholder:"TIME" help:"Only what has to do with runs received since: RFC 3339, YYYY-MM-DD, or a duration such as 30d or 24h; that runs and jobs agree is checked of all. Without it everything."`
}

// Help says how the answer is told from none.
func (verifyCommand) Help() string {
	return `Exit code 0: what was looked at is kept. 1: something is broken, and is named. 2: wrong use. 3: it could not be looked,
or not at all of it, and nothing that was looked at is broken: the database does not answer, a query fails, the
command is broken off, the answer cannot be written.`
}

// Run checks every promise in one snapshot.
func (c verifyCommand) Run(ctx context.Context, io console) error {
	look := verify.Look{}
	if c.Since != "" {
		var err error
		if look.Since, err = parseSince("--since", c.Since, time.Now()); err != nil {
			return err
		}
	}
	findings, err := c.look(ctx, io, look)
	if err != nil {
		return notLooked(err)
	}
	if c.JSON {
		err = printJSON(io.out, findings)
	} else {
		_, err = io.out.Write(describeFindings(findings))
	}
	if judgement := judged(findings); judgement != nil || err == nil {
		return judgement
	}
	return notLooked(fmt.Errorf("write the output: %w", err)) // nobody has read that all is well
}

// look checks the promises, and whether the stored secrets open.
func (c verifyCommand) look(ctx context.Context, io console, look verify.Look) ([]verify.Finding, error) {
	pool, err := c.open(ctx, io)
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	p := progress{io: io, quiet: true}
	if io.terminal != nil {
		look.Progress = func(n, of int, promise verify.Promise) { p.step("%d of %d: %s", n, of, promise.Text) }
	}
	findings, err := look.Check(ctx, pool)
	p.end()
	if err != nil {
		return nil, pgdb.SayDropped(ctx, pool, err)
	}
	secrets, err := verifySecrets(ctx, io, pool)
	return append(findings, secrets...), err
}

// errNotLooked ends verify with exit code 3; why has been printed.
var errNotLooked = errors.New("not looked at")

// lookError is why verify could not look. It is no wrong use, unless it is one.
type lookError struct{ error }

func (e lookError) Unwrap() error { return e.error }

func notLooked(err error) error {
	var usage usageError
	if errors.As(err, &usage) {
		return err
	}
	return lookError{err}
}

// judged is what the findings come to. What is broken goes before what is not known.
func judged(findings []verify.Finding) error {
	var err error
	for _, f := range findings {
		switch {
		case f.Broken > 0:
			return errSilent
		case f.Error != "":
			err = errNotLooked
		}
	}
	return err
}

// verifySecrets opens a sample of every sealed column. Without a key at hand it
// cannot, and says so.
func verifySecrets(ctx context.Context, io console, pool *pgxpool.Pool) ([]verify.Finding, error) {
	if set, err := io.setting("TOWPATH_SECRET_KEY"); err == nil && set == "" {
		io.warn("without TOWPATH_SECRET_KEY it is not checked whether the stored secrets open")
		return nil, nil
	}
	f := verify.Finding{Promise: verify.Promise{Name: "secrets", Text: "the stored secrets open with TOWPATH_SECRET_KEY (a sample of each column)"}, Samples: []string{}}
	_, err := io.sealing(ctx, pool)
	if errors.Is(err, secret.ErrUnknownKey) || errors.Is(err, secret.ErrNotOpened) {
		f.Broken, f.Samples, err = 1, []string{err.Error()}, nil
	}
	var usage usageError
	if err != nil && !errors.As(err, &usage) && ctx.Err() == nil { // what was found of the promises is told all the same
		f.Error, err = err.Error(), nil
	}
	return []verify.Finding{f}, err
}

func describeFindings(findings []verify.Finding) []byte {
	var text bytes.Buffer
	for _, f := range findings {
		mark := "ok    "
		switch {
		case f.Broken > 0:
			mark = "BROKEN"
		case f.Error != "":
			mark = "ERROR "
		}
		fmt.Fprintf(&text, "%s  %-20s %s\n", mark, f.Name, f.Text)
		if f.Error != "" {
			fmt.Fprintf(&text, "        could not be checked: %s\n", f.Error)
		}
		if f.Blanked > 0 {
			fmt.Fprintf(&text, "        %d were not compared: their documents were blanked (towpath prune, forget, TOWPATH_RETENTION)\n", f.Blanked)
		}
		if f.Broken > 0 {
			fmt.Fprintf(&text, "        %d found, for instance:\n", f.Broken)
		}
		for _, sample := range f.Samples {
			fmt.Fprintln(&text, "        "+sample)
		}
	}
	return text.Bytes()
}
