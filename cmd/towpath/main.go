// Command towpath carries Magento invoices into Xero on nothing but Postgres.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], console{out: os.Stdout, err: os.Stderr, in: os.Stdin, lookup: os.LookupEnv, readFile: os.ReadFile})
	stop()
	os.Exit(code)
}
