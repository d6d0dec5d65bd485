package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"towpath/pkg/notify"
)

type notifyCommand struct {
	Test notifyTest `cmd:"" help:"Send a test by each channel that is set, now."`
}

type notifyTest struct {
	printed
}

// Help says what is sent, and how it is verified.
func (notifyTest) Help() string {
	return `The webhook is signed as https://www.standardwebhooks.com has it (TOWPATH_NOTIFY_WEBHOOK_SECRET, whsec_...): any of
its libraries verifies it. E-mail goes by TOWPATH_NOTIFY_SMTP_URL, from TOWPATH_NOTIFY_FROM to TOWPATH_NOTIFY_TO.`
}

// Run sends, and says of each channel what became of it. Exit code 1: one did not take it.
func (c notifyTest) Run(ctx context.Context, io console) error {
	cfg, err := io.notify()
	if err != nil {
		return err
	}
	listen, err := io.settingOr("", "TOWPATH_LISTEN", defaultListen)
	if err != nil {
		return err
	}
	base, err := io.setting("TOWPATH_BASE_URL")
	if err != nil {
		return err
	}
	if cfg.BaseURL, err = baseURL(base, listen); err != nil {
		return err
	}
	sent, err := notify.Test(ctx, cfg, time.Now)
	if errors.Is(err, notify.ErrNobody) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	failed := false
	for _, s := range sent {
		failed = failed || s.Error != ""
		switch {
		case c.JSON:
		case s.Error != "":
			fmt.Fprintf(io.out, "%s: not sent: %s\n", s.Channel, s.Error)
		default:
			fmt.Fprintf(io.out, "%s: sent, %s\n", s.Channel, s.ID)
		}
	}
	if c.JSON {
		err = printJSON(io.out, sent)
	}
	if err == nil && failed {
		err = errSilent
	}
	return err
}
