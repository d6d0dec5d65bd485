package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"towpath/pkg/demo"
)

type demoCommand struct {
	Once   bool   `help:"Raise one invoice, wait until the shop shows it synced, print the trace, end."`
	Listen string `default:"127.0.0.1:8421" placeholder:"HOST:PORT" help:"Where the demo's page is; if the default is taken, any free port."`
	PGBin  string `name:"pg-bin" placeholder:"DIR" help:"The folder of initdb and postgres ($$PGBIN; default: found or fetched)."`
}

// onceTimeout bounds demo --once, after everything has started.
const onceTimeout = time.Minute

// Run starts everything, and ends it with the process.
func (c demoCommand) Run(ctx context.Context, io console) error {
	if c.Listen != "" {
		if err := checkListen(c.Listen); err != nil {
			return err
		}
	}
	bin, err := io.settingOr(c.PGBin, "PGBIN", "")
	if err != nil {
		return err
	}
	d, err := demo.Start(ctx, demo.Config{Listen: c.Listen, BinDir: bin, Out: io.out, Logger: textLog(io.err, &slog.HandlerOptions{Level: slog.LevelWarn})})
	if err != nil {
		return err
	}
	defer d.Stop()
	if c.Once {
		return c.once(ctx, io, d)
	}
	fmt.Fprintf(io.out, "\nOpen %s\nThe token lets your browser in while the demo runs. Ctrl-C ends it and leaves nothing behind.\n", d.Page())
	if err := d.Wait(ctx); err != nil {
		return err
	}
	fmt.Fprintln(io.out)
	return nil
}

// once raises one invoice and prints how it ended.
func (c demoCommand) once(ctx context.Context, io console, d *demo.Demo) error {
	ctx, cancel := context.WithTimeout(ctx, onceTimeout)
	defer cancel()
	inv := d.Raise()
	fmt.Fprintf(io.out, "\nraised invoice %s, %s %s\n", inv.IncrementID, inv.GrandTotal, inv.Currency)
	ended, err := d.Ended(ctx, inv)
	if err != nil {
		return err
	}
	printShop(io, ended)
	detail, err := readRun(ctx, d.Pool, ended.Run)
	if err != nil {
		return err
	}
	if err := printRun(io, detail); err != nil {
		return err
	}
	if status := ended.Invoice.Chip.Status; status != "synced" {
		return fmt.Errorf("invoice %s ended as %s", inv.IncrementID, status)
	}
	return nil
}

// printShop prints what the shop saw, since the invoice was raised.
func printShop(io console, ended demo.Ended) {
	row, chip := ended.Invoice.Outbox[0], ended.Invoice.Chip
	after := func(t time.Time) float64 { return float64(t.Sub(row.CreatedAt).Microseconds()) / 1000 }
	fmt.Fprintf(io.out, "   +0.0 ms  outbox row written, chip Pending\n")
	fmt.Fprintf(io.out, "%+7.1f ms  webhook answered 202 (the demo's cron runs every second, Magento's every minute)\n", after(row.DoneAt))
	fmt.Fprintf(io.out, "%+7.1f ms  chip %s %s\n\n", after(chip.ChangedAt), chip.Status, chip.ProviderReference)
}
