package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"towpath/pkg/clients"
	"towpath/pkg/doctor"
	"towpath/pkg/idp"
	"towpath/pkg/server"
)

type doctorCommand struct {
	database
	printed
	BaseURL string `name:"base-url" placeholder:"URL" help:"Where shops and people reach this Towpath ($$TOWPATH_BASE_URL)."`
}

// Help is shown below the flags by --help.
func (doctorCommand) Help() string {
	return `Looks at the database's server and settings, the schema, the secret key, the queue, the address,
and asks the identity provider, every shop and every ledger whether they answer and take what
Towpath has for them. It changes nothing; each ledger is called a few times, within its limits. Give
it the environment of serve.

Exit code: 0 all is well, 1 something is not as it should be, 2 something does not work.`
}

// errWrong ends with exit code 2; what is wrong has been printed.
var errWrong = errors.New("something does not work")

// Run looks at everything. A database that cannot be reached is a finding too.
func (c doctorCommand) Run(ctx context.Context, io console) error {
	base, err := io.settingOr(c.BaseURL, "TOWPATH_BASE_URL", "")
	if err != nil {
		return err
	}
	identity, err := io.identity()
	if err != nil {
		return err
	}
	private, err := io.allowPrivate()
	if err != nil {
		return err
	}
	var found []doctor.Finding
	pool, err := c.open(ctx, io)
	var usage usageError
	switch {
	case errors.As(err, &usage):
		return err
	case err != nil:
		found = []doctor.Finding{{Subject: "database", Check: "answers", Level: doctor.Wrong, Text: err.Error(), Do: "mend that first; nothing else was looked at"}}
	default:
		defer pool.Close()
		found = doctor.Examine(ctx, doctor.Config{
			Identity: lookOf(identity, base), Pool: pool, BaseURL: base, ProcessConns: server.ProcessConns,
			Settings: io.refused, AllowsPrivate: private.Any(),
			Clients:  func() (clients.Factory, error) { return io.clients(pool) },
			CheckKey: func(ctx context.Context) error { _, err := io.sealing(ctx, pool); return err },
		})
	}
	if c.JSON {
		err = printJSON(io.out, found)
	} else {
		err = printDoctor(io, found)
	}
	switch {
	case err != nil:
		return err
	case doctor.Worst(found) == doctor.Wrong:
		return errWrong
	case doctor.Worst(found) == doctor.Warning:
		return errSilent
	}
	return nil
}

// lookOf asks the identity provider; nil where there is none.
func lookOf(cfg idp.Config, base string) func(context.Context) (string, error) {
	if !cfg.Configured() {
		return nil
	}
	return idp.New(cfg, base, nil, time.Now).Look
}

// printDoctor prints a line each, and below it what mends it.
func printDoctor(io console, found []doctor.Finding) error {
	for _, f := range found {
		line := fmt.Sprintf("%-8s %s, %s: %s\n", f.Level, f.Subject, strings.ReplaceAll(f.Check, "_", " "), f.Text)
		if f.Level != doctor.OK && f.Do != "" {
			line += "         -> " + f.Do + "\n"
		}
		if _, err := fmt.Fprint(io.out, line); err != nil {
			return err
		}
	}
	return nil
}
