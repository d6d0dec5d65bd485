package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/account"
	"towpath/pkg/clients"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/refdata"
)

type policyCommand struct {
	Get policyGet `cmd:"" help:"Print the settings in force, every field."`
	Set policySet `cmd:"" help:"Replace the settings; held runs are released at once."`
}

type policyGet struct {
	database
	printed
	ID string `arg:"" help:"The binding's id."`
}

// Run prints the policy as JSON, with or without --json: it is what policy set
// reads.
func (c policyGet) Run(ctx context.Context, console console) error {
	return withBinding(ctx, console, c.database, c.ID, func(pool *pgxpool.Pool, binding dbsqlc.Binding) error {
		row, err := dbsqlc.New().PolicyGet(ctx, pool, dbsqlc.PolicyGetParams{BindingID: binding.ID, Version: binding.PolicyVersion})
		if err != nil {
			return fmt.Errorf("read policy: %w", err)
		}
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, row.Policy, "", "  "); err != nil {
			return fmt.Errorf("print policy: %w", err)
		}
		fmt.Fprintln(console.out, pretty.String())
		return nil
	})
}

type policySet struct {
	database
	printed
	ID     string `arg:"" help:"The binding's id."`
	File   string `required:"" placeholder:"FILE" help:"A JSON object with the settings; - reads standard input. An absent field has its default."`
	DryRun bool   `name:"dry-run" help:"Check it and say what it changes; nothing is saved. What it does to documents: towpath what-if."`
}

// policySaved is the answer to policy set.
type policySaved struct {
	ID       string              `json:"id"`
	Version  int32               `json:"policy_version"` // the one in force now
	Released int                 `json:"held_runs_released"`
	DryRun   bool                `json:"dry_run,omitempty"`
	Held     int64               `json:"held_runs"`        // before; each is tried again under the new settings
	Reset    []string            `json:"reset_to_default"` // set in force and not in the file
	Errors   []policy.FieldError `json:"errors,omitempty"`
}

// Run checks everything first: either all of it is saved as a new version, or
// nothing is and every fault is named.
func (c policySet) Run(ctx context.Context, console console) error {
	parsed, faults, err := readPolicy(console, c.File)
	if err != nil {
		return err
	}
	return withBinding(ctx, console, c.database, c.ID, func(pool *pgxpool.Pool, binding dbsqlc.Binding) error {
		if binding.Status == "revoked" {
			return fmt.Errorf("binding %s is revoked; its settings are of no use any more", binding.ID)
		}
		faults = append(faults, checkReference(ctx, console, pool, binding, parsed)...)
		if len(faults) > 0 {
			return c.refuse(console, binding, faults)
		}
		saved := policySaved{ID: binding.ID.String(), Version: binding.PolicyVersion, DryRun: c.DryRun}
		if saved.Reset, err = resetBy(ctx, pool, binding, parsed); err != nil {
			return err
		}
		if _, saved.Held, err = account.WaitingRuns(ctx, pool, binding.ID); err != nil {
			return err
		}
		c.announce(console, binding, parsed, saved)
		if c.DryRun {
			if c.JSON {
				return printJSON(console.out, saved)
			}
			fmt.Fprintf(console.out, "nothing was saved; policy version %d stays in force\n", binding.PolicyVersion)
			return nil
		}
		op, err := console.operator(pool)
		if err != nil {
			return err
		}
		if saved.Version, saved.Released, err = account.SavePolicy(ctx, op, binding.ID, parsed); err != nil {
			return err
		}
		if c.JSON {
			return printJSON(console.out, saved)
		}
		fmt.Fprintf(console.out, "policy version %d saved; held runs released: %d\n", saved.Version, saved.Released)
		return nil
	})
}

// resetBy are the settings in force that p sets back to their defaults.
func resetBy(ctx context.Context, pool *pgxpool.Pool, binding dbsqlc.Binding, p policy.Policy) ([]string, error) {
	row, err := dbsqlc.New().PolicyGet(ctx, pool, dbsqlc.PolicyGetParams{BindingID: binding.ID, Version: binding.PolicyVersion})
	if err != nil {
		return nil, fmt.Errorf("read policy: %w", err)
	}
	before, _, err := policy.Parse(row.Policy)
	if err != nil {
		return nil, fmt.Errorf("read policy: %w", err)
	}
	return policy.Reset(before, p), nil
}

// announce says before anything is saved what the settings do to what is there.
func (c policySet) announce(console console, binding dbsqlc.Binding, p policy.Policy, saved policySaved) {
	if len(saved.Reset) > 0 {
		fmt.Fprintf(console.err, "towpath: set in force and not in the file, so back to the default: %s\n", strings.Join(saved.Reset, ", "))
	}
	if saved.Held > 0 {
		fmt.Fprintf(console.err, "towpath: %s will be tried again under these settings; what they leave out is skipped and told to the shop\n", counted(int(saved.Held), "held run"))
	}
	if binding.Wire == provider.WireAccounting && p.RevenueAccountCode == "" {
		fmt.Fprintln(console.err, "towpath: default_xero_revenue_account_code is not set; every document is held (missing_mapping) until it is")
	}
}

// readPolicy reads a file of settings, - for standard input.
func readPolicy(console console, file string) (policy.Policy, []policy.FieldError, error) {
	var raw []byte
	var err error
	if file == "-" {
		raw, err = io.ReadAll(console.in)
	} else {
		raw, err = console.readFile(file)
	}
	if err != nil {
		return policy.Policy{}, nil, wrongUse("read --file: %w", err)
	}
	parsed, faults, err := policy.Parse(raw)
	if err != nil {
		return parsed, nil, wrongUse("--file: %w", err)
	}
	return parsed, faults, nil
}

func (c policySet) refuse(console console, binding dbsqlc.Binding, faults []policy.FieldError) error {
	if c.JSON {
		if err := printJSON(console.out, policySaved{ID: c.ID, Version: binding.PolicyVersion, Errors: faults}); err != nil {
			return err
		}
		return errSilent
	}
	printFaults(console, faults)
	fmt.Fprintf(console.err, "nothing was saved; policy version %d stays in force\n", binding.PolicyVersion)
	return errSilent
}

// checkReference names the settings that refer to what the provider does not have,
// and says what could not be checked.
func checkReference(ctx context.Context, console console, pool *pgxpool.Pool, binding dbsqlc.Binding, p policy.Policy) []policy.FieldError {
	found := refdata.Check(ctx, pool, binding, p, func() (clients.Factory, error) { return console.clients(pool) })
	if found.NotAsked != nil {
		fmt.Fprintf(console.err, "towpath: the provider could not be asked for its accounts and tax rates now (%v)\n", found.NotAsked)
	}
	if !found.Known {
		fmt.Fprintln(console.err, "towpath: they are not known, so no account, tax type, theme or tracking option was checked")
	}
	return found.Faults
}
