// Command towpath carries Magento invoices into Xero on nothing but Postgres.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"towpath/pkg/systemd"
)

func main() {
	manager, err := systemd.Found()
	if err != nil {
		fmt.Fprintln(os.Stderr, "towpath:", err)
		os.Exit(exitUsage)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	io := console{out: os.Stdout, err: os.Stderr, in: os.Stdin, lookup: os.LookupEnv, names: environment, readFile: os.ReadFile, manager: manager}
	if stat, err := os.Stderr.Stat(); err == nil && stat.Mode()&os.ModeCharDevice != 0 {
		io.terminal = os.Stderr
	}
	if stat, err := os.Stdin.Stat(); err == nil && stat.Mode()&os.ModeCharDevice != 0 {
		io.asked = io.terminal != nil
	}
	code := run(ctx, os.Args[1:], io)
	stop()
	os.Exit(code)
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
