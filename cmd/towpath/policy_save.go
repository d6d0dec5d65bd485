package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/account"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

// policyChange is what every command takes that saves settings.
type policyChange struct {
	Yes bool `help:"Save it without asking, also where settings go back to their defaults."`
}

// saving is how set, edit and restore save: said first, then asked, then done.
type saving struct {
	policyChange
	console console
	pool    *pgxpool.Pool
	binding dbsqlc.Binding
	asJSON  bool
	dryRun  bool
}

// policySaved is the answer of what saves settings, or would.
type policySaved struct {
	ID       string              `json:"id"`
	Version  int32               `json:"policy_version"` // the one in force now
	Changes  []policy.Change     `json:"changes"`
	Released int                 `json:"held_runs_released"`
	DryRun   bool                `json:"dry_run,omitempty"`
	Held     int64               `json:"held_runs"`        // before; each is tried again under the new settings
	Reset    []string            `json:"reset_to_default"` // set in force and not in the file
	Errors   []policy.FieldError `json:"errors,omitempty"`
}

// live refuses a revoked binding.
func (s saving) live() error {
	if s.binding.Status == "revoked" {
		return fmt.Errorf("binding %s is revoked; its settings are of no use any more", s.binding.ID)
	}
	return nil
}

// check adds to the faults of the settings' form what else has to be right before they
// are saved.
func (s saving) check(ctx context.Context, p policy.Policy, form []policy.FieldError) []policy.FieldError {
	return checkReference(ctx, s.console, s.pool, s.binding, p, form)
}

// refuse names every fault.
func (s saving) refuse(faults []policy.FieldError) error {
	if s.asJSON {
		refused := policySaved{ID: s.binding.ID.String(), Version: s.binding.PolicyVersion, Changes: []policy.Change{}, Reset: []string{}, Errors: faults}
		if err := printJSON(s.console.out, refused); err != nil {
			return err
		}
		return errSilent
	}
	printFaults(s.console, faults)
	fmt.Fprintf(s.console.err, "nothing was saved; policy version %d stays in force\n", s.binding.PolicyVersion)
	return errSilent
}

// save says what p changes and does to what is there, asks where that may be meant
// otherwise, and saves. raw is the file it was read from; nil asks about nothing.
func (s saving) save(ctx context.Context, raw []byte, p policy.Policy) error {
	proposal, err := account.Propose(ctx, s.pool, s.binding, raw, p)
	if err != nil {
		return err
	}
	saved := policySaved{ID: s.binding.ID.String(), Version: proposal.Version, Changes: proposal.Changes, DryRun: s.dryRun, Held: proposal.Held, Reset: proposal.Dropped}
	s.announce(proposal)
	if s.dryRun || len(proposal.Changes) == 0 {
		return s.print(saved, fmt.Sprintf("nothing was saved; policy version %d stays in force", proposal.Version))
	}
	if len(proposal.Dropped) > 0 && !s.Yes {
		what := fmt.Sprintf("settings that are in force and not in the file would go back to their defaults: %s", strings.Join(proposal.Dropped, ", "))
		if err := s.console.confirm(what, "Save it?", "nothing was saved"); err != nil {
			return err
		}
	}
	op, err := s.console.operator(s.pool)
	if err != nil {
		return err
	}
	saved.Version, saved.Released, err = account.SavePolicy(ctx, op, s.binding.ID, p, proposal.Version)
	if errors.Is(err, account.ErrSettingsMoved) {
		return fmt.Errorf("nothing was saved: %w; what they are now: towpath binding policy history %s", err, s.binding.ID)
	}
	if err != nil {
		return ifRevoked(s.binding.ID, err)
	}
	return s.print(saved, fmt.Sprintf("policy version %d saved; held runs released: %d", saved.Version, saved.Released))
}

func (s saving) print(saved policySaved, line string) error {
	if s.asJSON {
		return printJSON(s.console.out, saved)
	}
	fmt.Fprintln(s.console.out, line)
	return nil
}

// announce says before anything is saved what the settings change and do to what is
// there.
func (s saving) announce(proposal account.Proposal) {
	if !s.asJSON {
		printChanges(s.console, proposal.Version, proposal.Changes)
	}
	if len(proposal.Changes) == 0 {
		return
	}
	if len(proposal.Dropped) > 0 && (s.Yes || s.dryRun) { // else it is what is asked about
		s.console.warn("set in force and not in the file, so back to the default: %s", strings.Join(proposal.Dropped, ", "))
	}
	if proposal.Held > 0 {
		fmt.Fprintf(s.console.err, "towpath: %s will be tried again under these settings; what they leave out is skipped and told to the shop\n", counted(int(proposal.Held), "held run"))
	}
	if s.binding.Wire == provider.WireAccounting && proposal.Policy.RevenueAccountCode == "" {
		s.console.warn("default_xero_revenue_account_code is not set; every document is held (missing_mapping) until it is")
	}
}

// printChanges prints a line for each setting that differs.
func printChanges(console console, version int32, changes []policy.Change) {
	if len(changes) == 0 {
		fmt.Fprintf(console.out, "no setting differs from policy version %d\n", version)
		return
	}
	fmt.Fprintf(console.out, "against policy version %d:\n", version)
	for _, change := range changes {
		fmt.Fprintf(console.out, "  %s\n", change)
	}
}
