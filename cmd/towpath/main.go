// Command towpath carries Magento invoices into Xero on nothing but Postgres.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/term"

	"towpath/pkg/systemd"
)

func main() {
	manager, err := systemd.Found()
	if err != nil {
		fmt.Fprintln(os.Stderr, "towpath:", err)
		os.Exit(exitUsage)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	io := console{out: os.Stdout, err: os.Stderr, in: os.Stdin, lookup: os.LookupEnv, names: environment, readFile: readFile, manager: manager}
	if stat, err := os.Stderr.Stat(); err == nil && stat.Mode()&os.ModeCharDevice != 0 {
		io.terminal = os.Stderr
	}
	if stat, err := os.Stdin.Stat(); err == nil && stat.Mode()&os.ModeCharDevice != 0 {
		io.asked = io.terminal != nil
	}
	if term.IsTerminal(int(os.Stdin.Fd())) { // /dev/null is a device and no terminal
		io.readSecret = readSecret
	}
	code := run(ctx, os.Args[1:], io)
	stop()
	os.Exit(code)
}

// readSecret asks for a secret at the terminal and does not show it. An interrupt gives
// the terminal back as it was.
func readSecret(ctx context.Context, prompt string) (string, error) {
	in := int(os.Stdin.Fd())
	state, err := term.GetState(in)
	if err != nil {
		return "", err
	}
	fmt.Fprint(os.Stderr, prompt)
	type answer struct {
		text []byte
		err  error
	}
	read := make(chan answer, 1)
	go func() {
		text, err := term.ReadPassword(in)
		read <- answer{text, err}
	}()
	select {
	case a := <-read:
		fmt.Fprintln(os.Stderr)
		return string(a.text), a.err
	case <-ctx.Done():
		_ = term.Restore(in, state) // the process ends
		return "", ctx.Err()
	}
}

// environment is the names of the variables that are set.
func environment() []string {
	var names []string
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		names = append(names, name)
	}
	return names
}
