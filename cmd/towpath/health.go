package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"towpath/pkg/outbound"
	"towpath/pkg/server"
)

type healthCommand struct {
	printed
	Listen  string        `placeholder:"HOST:PORT" help:"Where serve answers checks ($$TOWPATH_METRICS_LISTEN, else $$TOWPATH_LISTEN, default 127.0.0.1:8080)."`
	Live    bool          `help:"Only whether the process answers (/livez), whatever its database and workers do."`
	Timeout time.Duration `default:"5s" help:"How long an answer may take."`
}

// Help says which of the two to restart by.
func (healthCommand) Help() string {
	return `Asks /readyz: the database answers, no migration is pending, the secrets open, the workers take jobs.
What restarts a process by its answer should ask with --live: while the database is away a restart helps nobody.`
}

// healthView is what /readyz answers.
type healthView struct {
	Ready  bool           `json:"ready"`
	Checks []server.Check `json:"checks"`
}

// Run asks once. Exit code 1: it does not answer, or is not ready.
func (c healthCommand) Run(ctx context.Context, io console) error {
	address, err := c.address(io)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	view, err := c.ask(ctx, address)
	if err != nil {
		return err
	}
	switch {
	case c.JSON:
		err = printJSON(io.out, view)
	case c.Live:
		_, err = fmt.Fprintln(io.out, "it answers")
	case view.Ready:
		_, err = fmt.Fprintln(io.out, "ready")
	default:
		for _, check := range view.Checks {
			if !check.OK {
				fmt.Fprintf(io.err, "towpath: not ready: %s: %s\n", check.Name, check.Error)
			}
		}
	}
	if err == nil && !view.Ready {
		return errSilent
	}
	return err
}

// address is where serve answers on this machine.
func (c healthCommand) address(io console) (string, error) {
	listen, err := io.settingOr("", "TOWPATH_LISTEN", defaultListen)
	if err != nil {
		return "", err
	}
	// A listener of its own for machines has the checks alone.
	if listen, err = io.settingOr(c.Listen, "TOWPATH_METRICS_LISTEN", listen); err != nil {
		return "", err
	}
	if err := checkListen(listen); err != nil {
		return "", err
	}
	host, port, _ := net.SplitHostPort(listen)
	if isWildcard(host) {
		host = cmp.Or(map[string]string{"::": "::1"}[host], "127.0.0.1")
	}
	return net.JoinHostPort(host, port), nil
}

// ask is a request past any proxy. The base path is not needed: every route is served
// without it too.
func (c healthCommand) ask(ctx context.Context, address string) (healthView, error) {
	path := "/readyz"
	if c.Live {
		path = "/livez"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return healthView{}, fmt.Errorf("ask %s: %w", address, err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		return healthView{}, fmt.Errorf("no serve answers: %w", outbound.Plain(err))
	}
	defer answer.Body.Close()
	if c.Live && answer.StatusCode == http.StatusOK {
		return healthView{Ready: true, Checks: []server.Check{}}, nil
	}
	var view healthView
	if err := json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&view); err != nil || len(view.Checks) == 0 {
		return healthView{}, fmt.Errorf("no serve answers: what answers at %s is not Towpath (%s %s)", address, answer.Status, path)
	}
	return view, nil
}
