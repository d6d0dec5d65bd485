package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/account"
	"towpath/pkg/clients"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/policy"
	"towpath/pkg/refdata"
)

type policyCommand struct {
	Get     policyGet     `cmd:"" help:"Print the settings in force, every field."`
	Set     policySet     `cmd:"" help:"Replace the settings; held runs are released at once."`
	Edit    policyEdit    `cmd:"" help:"Edit the settings in force with $$VISUAL or $$EDITOR, and save them as policy set does."`
	Diff    policyDiff    `cmd:"" help:"What a file, or an older version, would change. Saves nothing."`
	History policyHistory `cmd:"" help:"Every version of the settings: when, who, and what it changed."`
	Restore policyRestore `cmd:"" help:"Save the settings of an older version again, as a new one; held runs are released at once."`
}

type policyGet struct {
	database
	printed
	ID      string `arg:"" help:"The binding's id, or its shop's name."`
	Version int32  `arg:"" optional:"" help:"Another version than the one in force; see policy history."`
}

// Run prints the policy as JSON, with or without --json: it is what policy set
// reads.
func (c policyGet) Run(ctx context.Context, console console) error {
	return withBinding(ctx, console, c.database, c.ID, func(pool *pgxpool.Pool, binding dbsqlc.Binding) error {
		version := binding.PolicyVersion
		if c.Version != 0 {
			version = c.Version
		}
		raw, err := storedSettings(ctx, pool, binding.ID, version)
		if err != nil {
			return err
		}
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, raw, "", "  "); err != nil {
			return fmt.Errorf("print policy: %w", err)
		}
		fmt.Fprintln(console.out, pretty.String())
		return nil
	})
}

// storedSettings are the settings of a version, every field, in the order of the reference.
func storedSettings(ctx context.Context, pool *pgxpool.Pool, id uuid.UUID, version int32) (json.RawMessage, error) {
	raw, err := account.StoredSettings(ctx, pool, id, version)
	if errors.Is(err, account.ErrNoVersion) {
		return nil, fmt.Errorf("binding %[1]s has no policy version %[2]d (see: towpath binding policy history %[1]s)", id, version)
	}
	if err != nil {
		return nil, err
	}
	if parsed, faults, unread := policy.Parse(raw); unread == nil && len(faults) == 0 { // else as it was stored
		raw = policy.Encode(parsed)
	}
	return raw, nil
}

type policySet struct {
	database
	printed
	policyChange
	ID     string `arg:"" help:"The binding's id, or its shop's name."`
	File   string `required:"" placeholder:"FILE" help:"A JSON object with the settings; - reads standard input. An absent field has its default."`
	DryRun bool   `name:"dry-run" help:"Check it and say what it changes; nothing is saved. What it does to documents: towpath what-if."`
}

// Help is shown below the flags by --help.
func (policySet) Help() string {
	return `What differs from the settings in force is said before anything is saved, as "field: before -> after". A file
that leaves out settings that are in force would set them back to their defaults: that is asked about, and
without a terminal refused unless --yes says so. To change one setting begin with what "policy get" prints,
or use "policy edit". A file that changes nothing makes no new version.`
}

// Run checks everything first: either all of it is saved as a new version, or
// nothing is and every fault is named.
func (c policySet) Run(ctx context.Context, console console) error {
	raw, parsed, faults, err := readPolicy(console, c.File)
	if err != nil {
		return err
	}
	return withBinding(ctx, console, c.database, c.ID, func(pool *pgxpool.Pool, binding dbsqlc.Binding) error {
		s := saving{console: console, pool: pool, binding: binding, asJSON: c.JSON, dryRun: c.DryRun, policyChange: c.policyChange}
		if err := s.live(); err != nil {
			return err
		}
		if faults = s.check(ctx, parsed, faults); len(faults) > 0 {
			return s.refuse(faults)
		}
		return s.save(ctx, raw, parsed)
	})
}

// readPolicy reads a file of settings, - for standard input.
func readPolicy(console console, file string) ([]byte, policy.Policy, []policy.FieldError, error) {
	var raw []byte
	var err error
	if file == "-" {
		raw, err = readBounded(console.in)
	} else {
		raw, err = console.readFile(file)
	}
	if err != nil {
		return nil, policy.Policy{}, nil, wrongUse("read --file: %w", err)
	}
	parsed, faults, err := policy.Parse(raw)
	if err != nil {
		return nil, parsed, nil, wrongUse("--file: %w", err)
	}
	return raw, parsed, faults, nil
}

// checkReference adds to the faults of the settings' form those that refer to what the
// provider does not have, and says what could not be checked.
func checkReference(ctx context.Context, console console, pool *pgxpool.Pool, binding dbsqlc.Binding, p policy.Policy, form []policy.FieldError) []policy.FieldError {
	found := refdata.Check(ctx, pool, binding, p, form, func() (clients.Factory, error) { return console.clients(pool) })
	if found.NotAsked != nil {
		console.warn("the provider could not be asked for its accounts and tax rates now (%v)", found.NotAsked)
	}
	if !found.Known {
		console.warn("its accounts and tax rates are not known, so no account, tax type, theme or tracking option was checked")
	}
	return found.Faults
}
