// Package monitoring is what watches a Towpath from outside: alert rules for Prometheus,
// a runbook for each alert, and a dashboard for Grafana. They are in the binary, so that
// they are of its version, and reach a network that is closed.
//
// rules.yaml is checked and tested by promtool (rules_test.yaml); every alert has a
// runbook and a panel, and every panel's query is asked of a real Prometheus.
package monitoring

import (
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// alerts.json and the runbooks' HTML are made of rules.yaml and of the Markdown by a test
// (go test ./pkg/monitoring -update), which holds them to be current: the readers of YAML
// and Markdown would be 1 MB of the binary.
//
//go:embed rules.yaml alerts.json dashboard.json runbooks/*
var files embed.FS

// Path is where the runbooks are served.
const Path = "/runbooks"

// placeholder is the address of the runbooks in rules.yaml.
const placeholder = "https://towpath.example.com"

// Rules is the rules file, with runbooks at an installation's base URL.
func Rules(baseURL string) string {
	return strings.ReplaceAll(read("rules.yaml"), placeholder, baseURL)
}

// Dashboard is the JSON that Grafana imports.
func Dashboard() string { return read("dashboard.json") }

// read reads what is embedded, which is there.
func read(name string) string {
	text, err := files.ReadFile(name)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// Alert is one alert rule.
type Alert struct {
	Name       string `json:"alert"`
	Severity   string `json:"severity"` // page or ticket
	Summary    string `json:"summary"`
	Expr       string `json:"expr"`
	For        string `json:"for"`
	RunbookURL string `json:"runbook_url"`
}

// Alerts are all alerts of the rules, in their order.
func Alerts(baseURL string) ([]Alert, error) {
	var alerts []Alert
	if err := json.Unmarshal([]byte(read("alerts.json")), &alerts); err != nil {
		return nil, fmt.Errorf("read alerts: %w", err)
	}
	for i := range alerts {
		alerts[i].RunbookURL = strings.Replace(alerts[i].RunbookURL, placeholder, baseURL, 1)
	}
	return alerts, nil
}

// Names are the names of the runbooks, which are those of the alerts.
func Names() []string {
	entries, err := files.ReadDir("runbooks")
	if err != nil {
		panic(err)
	}
	var names []string
	for _, entry := range entries {
		if name, is := strings.CutSuffix(entry.Name(), ".md"); is {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Runbook is the text for an alert, in Markdown. The name may be in whatever case, and
// without the product's in front.
func Runbook(alert string) (name, text string, found bool) {
	for _, name := range Names() {
		if strings.EqualFold(name, alert) || strings.EqualFold(name, "Towpath"+alert) {
			return name, read("runbooks/" + name + ".md"), true
		}
	}
	return "", "", false
}

// Meaning is the first sentence of an alert's runbook.
func Meaning(alert string) string {
	_, text, _ := Runbook(alert)
	_, text, _ = strings.Cut(text, "## Meaning\n\n")
	text, _, _ = strings.Cut(text, "\n")
	text, _, _ = strings.Cut(text, ". ")
	return strings.TrimSuffix(text, ".")
}
