package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"

	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/policy"
)

type policyEdit struct {
	database
	printed
	policyChange
	ID string `arg:"" help:"The binding's id, or its shop's name."`
}

// Help is shown below the flags by --help.
func (policyEdit) Help() string {
	return `The settings in force are opened in $VISUAL, or $EDITOR, or vi. A mistake is named and opens them again. Nothing
is saved where nothing was changed, where the file was emptied, or where a mistake is left as it is.`
}

// Run edits until the settings are right or given up. What was typed is kept in its
// file, whose name is said, whenever it was not saved.
func (c policyEdit) Run(ctx context.Context, console console) error {
	editor, err := console.editor()
	if err != nil {
		return err
	}
	return withBinding(ctx, console, c.database, c.ID, func(pool *pgxpool.Pool, binding dbsqlc.Binding) error {
		s := saving{console: console, pool: pool, binding: binding, asJSON: c.JSON, policyChange: c.policyChange}
		if err := s.live(); err != nil {
			return err
		}
		stored, err := storedSettings(ctx, pool, binding.ID, binding.PolicyVersion)
		if err != nil {
			return err
		}
		var before bytes.Buffer
		if err := json.Indent(&before, stored, "", "  "); err != nil {
			return fmt.Errorf("print policy: %w", err)
		}
		before.WriteByte('\n')
		e := edit{console: console, editor: editor, before: before.Bytes()}
		if err := e.begin(); err != nil {
			return err
		}
		raw, parsed, err := e.settings(ctx, s)
		if err == nil && raw != nil {
			err = s.save(ctx, raw, parsed)
		}
		if err == nil && raw == nil {
			err = s.print(policySaved{ID: binding.ID.String(), Version: binding.PolicyVersion, Changes: []policy.Change{}, Reset: []string{}},
				fmt.Sprintf("nothing was saved; policy version %d stays in force", binding.PolicyVersion))
		}
		return e.end(err)
	})
}

// edit is a file that a person edits.
type edit struct {
	console console
	editor  string
	path    string
	before  []byte
}

func (e *edit) begin() error {
	file, err := os.CreateTemp("", "towpath-policy-*.json")
	if err != nil {
		return fmt.Errorf("make a file to edit: %w", err)
	}
	e.path = file.Name()
	_, err = file.Write(e.before)
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", e.path, err)
	}
	return nil
}

// settings is what the person makes of the settings; nil where that is nothing, or
// what they were.
func (e *edit) settings(ctx context.Context, s saving) ([]byte, policy.Policy, error) {
	last := e.before
	for {
		raw, err := e.open(ctx)
		switch {
		case err != nil:
			return nil, policy.Policy{}, err
		case bytes.Equal(raw, e.before), len(bytes.TrimSpace(raw)) == 0:
			return nil, policy.Policy{}, nil
		case bytes.Equal(raw, last):
			return nil, policy.Policy{}, fmt.Errorf("nothing was saved: the mistake is still there; policy version %d stays in force", s.binding.PolicyVersion)
		}
		last = raw
		parsed, faults, err := policy.Parse(raw)
		if err == nil {
			faults = s.check(ctx, parsed, faults)
		}
		if err == nil && len(faults) == 0 {
			return raw, parsed, nil
		}
		if err != nil {
			fmt.Fprintln(e.console.err, err)
		}
		printFaults(e.console, faults)
		if e.console.asked { // or the editor would cover it at once
			fmt.Fprint(e.console.err, "Press Enter to edit it again. ")
			if _, err := e.console.readLine(); err != nil {
				return nil, policy.Policy{}, fmt.Errorf("nothing was saved: %w", err)
			}
		}
	}
}

// open runs the editor on the terminal, through the shell: it may have flags of its
// own.
func (e *edit) open(ctx context.Context) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "sh", "-c", e.editor+` "$1"`, "towpath", e.path)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = e.console.in, e.console.terminal, e.console.terminal
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("nothing was saved: run editor %q: %w", e.editor, err)
	}
	raw, err := os.ReadFile(e.path)
	if err != nil {
		return nil, fmt.Errorf("nothing was saved: read what was edited: %w", err)
	}
	return raw, nil
}

// end keeps what a person typed and did not get saved.
func (e *edit) end(err error) error {
	now, unread := os.ReadFile(e.path)
	if err != nil && unread == nil && len(bytes.TrimSpace(now)) > 0 && !bytes.Equal(now, e.before) {
		fmt.Fprintf(e.console.err, "towpath: what you edited is kept in %s\n", e.path)
		return err
	}
	_ = os.Remove(e.path) // nothing is lost with it
	return err
}
