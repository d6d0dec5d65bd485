package main

import (
	"context"
	"fmt"
	"strings"

	"towpath/pkg/monitoring"
)

type monitoringCommand struct {
	Rules     monitoringRules     `cmd:"" help:"The alert rules for Prometheus, with the runbooks of this installation."`
	Dashboard monitoringDashboard `cmd:"" help:"The dashboard for Grafana, as JSON to import."`
	Runbook   monitoringRunbook   `cmd:"" help:"What an alert means and what to do; without a name all alerts."`
}

// runbooksAt is what names where the runbooks are served.
type runbooksAt struct {
	BaseURL string `name:"base-url" placeholder:"URL" help:"Where people reach this Towpath, for runbook_url ($$TOWPATH_BASE_URL)."`
}

// base is the address, or that of this machine with a word about it.
func (r runbooksAt) base(io console) (string, error) {
	set, err := io.settingOr(r.BaseURL, "TOWPATH_BASE_URL", "")
	if err != nil {
		return "", err
	}
	if set != "" {
		return checkBaseURL(set)
	}
	listen, err := io.settingOr("", "TOWPATH_LISTEN", defaultListen)
	if err != nil {
		return "", err
	}
	base, err := baseURL("", listen)
	if err == nil {
		io.warn("runbook_url leads to %s: neither --base-url nor TOWPATH_BASE_URL is set", base)
	}
	return base, err
}

type monitoringRules struct {
	printed
	runbooksAt
}

// Help says where the file goes.
func (monitoringRules) Help() string {
	return `Into a file that rule_files of prometheus.yml names:

  towpath monitoring rules --base-url https://towpath.example.com >/etc/prometheus/towpath.rules.yml
  promtool check rules /etc/prometheus/towpath.rules.yml

The rules expect the scrape's job_name to be towpath. --json prints the alerts as an array.`
}

// Run prints the rules file.
func (c monitoringRules) Run(_ context.Context, io console) error {
	base, err := c.base(io)
	if err != nil {
		return err
	}
	if !c.JSON {
		_, err = fmt.Fprint(io.out, monitoring.Rules(base))
		return err
	}
	alerts, err := monitoring.Alerts(base)
	if err != nil {
		return err
	}
	return printJSON(io.out, alerts)
}

type monitoringDashboard struct{}

// Run prints the dashboard.
func (monitoringDashboard) Run(_ context.Context, io console) error {
	_, err := fmt.Fprint(io.out, monitoring.Dashboard())
	return err
}

type monitoringRunbook struct {
	printed
	runbooksAt
	Alert string `arg:"" optional:"" help:"The alert's name, with or without Towpath in front."`
}

// runbookView is what runbook prints with --json and a name.
type runbookView struct {
	monitoring.Alert
	Runbook string `json:"runbook"` // Markdown
}

// Run prints one runbook, or the list.
func (c monitoringRunbook) Run(_ context.Context, io console) error {
	name, text, found := monitoring.Runbook(c.Alert)
	if c.Alert != "" && !found {
		return wrongUse("no alert is named %q; there are: %s", c.Alert, strings.Join(monitoring.Names(), ", "))
	}
	if found && !c.JSON {
		_, err := fmt.Fprint(io.out, text)
		return err
	}
	base := ""
	if c.JSON { // what is printed names it
		var err error
		if base, err = c.base(io); err != nil {
			return err
		}
	}
	alerts, err := monitoring.Alerts(base)
	if err != nil {
		return err
	}
	if !found {
		same := func(a monitoring.Alert) monitoring.Alert { return a }
		return printList(io, c.JSON, alerts, same, []string{"alert", "severity", "meaning"}, func(a monitoring.Alert) []string {
			return []string{a.Name, a.Severity, monitoring.Meaning(a.Name)}
		})
	}
	for _, a := range alerts {
		if a.Name == name {
			return printJSON(io.out, runbookView{Alert: a, Runbook: text})
		}
	}
	return fmt.Errorf("no rule is named %s", name)
}
