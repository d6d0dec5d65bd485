package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/account"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/policy"
)

type policyDiff struct {
	database
	printed
	ID      string `arg:"" help:"The binding's id, or its shop's name."`
	Version int32  `arg:"" optional:"" help:"An older version: what policy restore would change; or use --file."`
	File    string `placeholder:"FILE" help:"A JSON object with settings, as for policy set; - reads standard input."`
}

// settingsDiffer is the answer of policy diff.
type settingsDiffer struct {
	ID      string          `json:"id"`
	Version int32           `json:"policy_version"` // the one in force
	Changes []policy.Change `json:"changes"`
	Reset   []string        `json:"reset_to_default"`
}

// Run compares with the settings in force. That they differ is an answer, not a
// failure.
func (c policyDiff) Run(ctx context.Context, console console) error {
	if (c.File == "") == (c.Version == 0) {
		return wrongUse("name what to compare with the settings in force: --file FILE, or a version (see: towpath binding policy history %s)", c.ID)
	}
	var raw []byte
	var parsed policy.Policy
	if c.File != "" {
		var faults []policy.FieldError
		var err error
		if raw, parsed, faults, err = readPolicy(console, c.File); err != nil {
			return err
		}
		if len(faults) > 0 {
			printFaults(console, faults)
			return errSilent
		}
	}
	return withBinding(ctx, console, c.database, c.ID, func(pool *pgxpool.Pool, binding dbsqlc.Binding) error {
		if raw == nil {
			stored, err := storedSettings(ctx, pool, binding.ID, c.Version)
			if err != nil {
				return err
			}
			if parsed, _, err = policy.Parse(stored); err != nil {
				return fmt.Errorf("read policy version %d: %w", c.Version, err)
			}
		}
		proposal, err := account.Propose(ctx, pool, binding, raw, parsed)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(console.out, settingsDiffer{ID: binding.ID.String(), Version: proposal.Version, Changes: proposal.Changes, Reset: proposal.Dropped})
		}
		printChanges(console, proposal.Version, proposal.Changes)
		if len(proposal.Dropped) > 0 {
			console.warn("set in force and not in the file, so back to the default: %s", strings.Join(proposal.Dropped, ", "))
		}
		return nil
	})
}

type policyHistory struct {
	database
	printed
	ID string `arg:"" help:"The binding's id, or its shop's name."`
}

// Run prints the versions, the newest first.
func (c policyHistory) Run(ctx context.Context, console console) error {
	return withBinding(ctx, console, c.database, c.ID, func(pool *pgxpool.Pool, binding dbsqlc.Binding) error {
		history, err := account.SettingsHistory(ctx, pool, binding)
		if err != nil {
			return err
		}
		same := func(v account.SettingsVersion) account.SettingsVersion { return v }
		headings := []string{"version", "created_at", "who", "in force", "changes"}
		return printList(console, c.JSON, history, same, headings, func(v account.SettingsVersion) []string {
			inForce, changes := "", []string{}
			if v.InForce {
				inForce = "yes"
			}
			for _, change := range v.Changes {
				changes = append(changes, change.String())
			}
			return []string{fmt.Sprint(v.Version), v.CreatedAt.UTC().Format(time.RFC3339), text(v.Who), inForce, strings.Join(changes, "; ")}
		})
	})
}

type policyRestore struct {
	database
	printed
	policyChange
	ID      string `arg:"" help:"The binding's id, or its shop's name."`
	Version int32  `arg:"" help:"The version, as policy history names it."`
	DryRun  bool   `name:"dry-run" help:"Check it and say what it changes; nothing is saved."`
}

// Run checks the old settings against what the provider has now, as policy set does.
func (c policyRestore) Run(ctx context.Context, console console) error {
	return withBinding(ctx, console, c.database, c.ID, func(pool *pgxpool.Pool, binding dbsqlc.Binding) error {
		stored, err := storedSettings(ctx, pool, binding.ID, c.Version)
		if err != nil {
			return err
		}
		parsed, faults, err := policy.Parse(stored)
		if err != nil {
			return fmt.Errorf("read policy version %d: %w", c.Version, err)
		}
		s := saving{console: console, pool: pool, binding: binding, asJSON: c.JSON, dryRun: c.DryRun, policyChange: c.policyChange}
		if err := s.live(); err != nil {
			return err
		}
		if faults = s.check(ctx, parsed, faults); len(faults) > 0 {
			return s.refuse(faults)
		}
		return s.save(ctx, nil, parsed)
	})
}
