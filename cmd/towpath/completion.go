package main

import (
	"fmt"

	"github.com/alecthomas/kong"

	"towpath/pkg/completion"
	"towpath/pkg/metrics"
	"towpath/pkg/syncrun"
)

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help says how each shell takes it.
func (completionCommand) Help() string {
	return `For this shell and those to come:

  bash: echo 'source <(towpath completion bash)' >>~/.bashrc
  zsh:  echo 'source <(towpath completion zsh)' >>~/.zshrc       # behind compinit
  fish: towpath completion fish >~/.config/fish/completions/towpath.fish

It completes commands, flags, files, and what --status, --event, --error and the like take.`
}

// Run prints the script.
func (c completionCommand) Run(parsed *kong.Context, io console) error {
	script, err := completion.Script(c.Shell, parsed.Model, map[string][]string{
		"status": syncrun.Statuses(), "event": metrics.Events(), "error": metrics.Reasons(), "roles": {"ingress", "worker", "dashboard"},
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(io.out, script)
	return err
}
