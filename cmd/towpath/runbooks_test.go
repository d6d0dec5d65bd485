package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/demo"
	"towpath/pkg/monitoring"
)

// lookCommands are the commands of the runbooks' Look, each once, with the runbook that
// names it first.
func lookCommands(t *testing.T) (commands []string, of map[string]string) {
	t.Helper()
	of = map[string]string{}
	for _, name := range monitoring.Names() {
		_, text, _ := monitoring.Runbook(name)
		block := regexp.MustCompile("(?s)```sh run\n(.*?)```").FindStringSubmatch(text)
		require.NotNil(t, block, name)
		for line := range strings.Lines(block[1]) {
			line = strings.TrimSpace(line)
			if _, known := of[line]; !known {
				commands, of[line] = append(commands, line), name
			}
		}
	}
	return commands, of
}

// What a runbook tells the one who was called to type can be typed: it runs on an
// installation that is well, and answers something.
func Test_The_commands_of_the_runbooks_run(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	s := d.serve(t)
	d.shop.RaiseInvoice(demo.Cart())
	id := d.send(t)
	until(t, "posted", func() bool { return d.status(t, id) == "succeeded" })
	until(t, "the promises were checked", func() bool {
		return strings.Contains(scrape(t, "http://"+s.Addr(), "text/plain"), `towpath_verify_broken{check="intents"}`)
	})

	bin := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\nexec env %s=1 %q \"$@\"\n", asProcess, towpath(t).Path)
	require.NoError(t, os.WriteFile(filepath.Join(bin, "towpath"), []byte(script), 0o700))
	env := []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TOWPATH_BASE_URL=http://" + s.Addr()}
	for name, value := range d.env {
		env = append(env, name+"="+value)
	}
	commands, of := lookCommands(t)
	require.Greater(t, len(commands), 20)
	for _, line := range commands {
		cmd := exec.Command("bash", "-euo", "pipefail", "-c", line)
		cmd.Env = env
		out, err := cmd.CombinedOutput()
		var ended *exec.ExitError
		if errors.As(err, &ended) && line == "towpath doctor" && strings.Contains(string(out), "warning") {
			err = nil // it has something to say of this installation
		}
		require.NoError(t, err, "%s of %s: %s", line, of[line], out)
		require.NotContains(t, string(out), "--help", "%s of %s", line, of[line])
		if !strings.HasSuffix(line, "|| true") {
			require.NotEmpty(t, out, "%s of %s", line, of[line])
		}
	}
}
