package monitoring_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/yuin/goldmark"
	"go.yaml.in/yaml/v3"

	"towpath/pkg/monitoring"
)

var update = flag.Bool("update", false, "write alerts.json and the runbooks' HTML anew")

// made compares a file that is made of others; -update writes it.
func made(t *testing.T, path string, want []byte) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(path, want, 0o644))
	}
	is, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(is), "go test ./pkg/monitoring -update")
}

func Test_The_alerts_are_those_of_the_rules(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("rules.yaml")
	require.NoError(t, err)
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr, For string
				Labels           struct{ Severity string }
				Annotations      struct {
					Summary    string
					RunbookURL string `yaml:"runbook_url"`
				}
			}
		}
	}
	require.NoError(t, yaml.Unmarshal(raw, &file))
	var alerts []monitoring.Alert
	for _, group := range file.Groups {
		for _, r := range group.Rules {
			if r.Alert != "" {
				alerts = append(alerts, monitoring.Alert{
					Name: r.Alert, Severity: r.Labels.Severity, Summary: r.Annotations.Summary, Expr: r.Expr, For: r.For, RunbookURL: r.Annotations.RunbookURL,
				})
			}
		}
	}
	var want bytes.Buffer
	to := json.NewEncoder(&want)
	to.SetEscapeHTML(false)
	to.SetIndent("", "  ")
	require.NoError(t, to.Encode(alerts))
	made(t, "alerts.json", want.Bytes())
}

func Test_The_runbooks_pages_are_their_Markdown(t *testing.T) {
	t.Parallel()
	for _, name := range monitoring.Names() {
		_, text, _ := monitoring.Runbook(name)
		var page bytes.Buffer
		require.NoError(t, goldmark.Convert([]byte(text), &page)) // raw HTML is left out
		made(t, "runbooks/"+name+".html", page.Bytes())
	}
}
