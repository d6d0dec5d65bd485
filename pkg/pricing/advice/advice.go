// Package advice checks what a held run tells a person to do: each setting that it
// names is accepted with the value that it names. Only tests import it.
package advice

import (
	"encoding/json"
	"regexp"
	"strings"

	"github.com/stretchr/testify/require"

	"towpath/pkg/policy"
	"towpath/pkg/provider"
)

var (
	setTo  = regexp.MustCompile(`set ([a-z_0-9]+) to ("?[A-Z0-9.-]+"?)(?:[;,: ]|$)`)
	rate   = regexp.MustCompile(`"((?:[A-Z]{2}:)?[0-9]+\.[0-9]+)"(?: \(([^)]+)\))?`)
	addsTo = regexp.MustCompile(`add (.*) to tax_rate_map`)
	names  = regexp.MustCompile(`[a-z0-9]+(?:_[a-z0-9]+)+`)
)

// RequireAccepted follows each piece of advice in message on top of pol, and
// requires that the policy's check takes it. A name that looks like a setting's is
// one.
func RequireAccepted(t require.TestingT, message string, pol policy.Policy, ref provider.Reference, wire string) {
	requireSettings(t, message)
	for _, m := range setTo.FindAllStringSubmatch(message, -1) {
		requireTaken(t, message, map[string]any{m[1]: strings.Trim(m[2], `"`)}, pol, ref, wire)
	}
	adds := addsTo.FindStringSubmatch(message)
	if adds == nil {
		return
	}
	for _, m := range rate.FindAllStringSubmatch(adds[1], -1) {
		taxType := m[2]
		if taxType == "" {
			taxType = "ANY"
		}
		rates := map[string]string{m[1]: taxType}
		for key, value := range pol.TaxRateMap {
			if _, given := rates[key]; !given {
				rates[key] = value
			}
		}
		requireTaken(t, message, map[string]any{"tax_rate_map": rates}, pol, ref, wire)
	}
}

func requireSettings(t require.TestingT, message string) {
	known := map[string]json.RawMessage{}
	require.NoError(t, json.Unmarshal(policy.Encode(policy.Default()), &known))
	for _, name := range names.FindAllString(message, -1) {
		require.Contains(t, known, name, "%s: no such setting", message)
	}
}

func requireTaken(t require.TestingT, message string, change map[string]any, pol policy.Policy, ref provider.Reference, wire string) {
	all := map[string]any{}
	require.NoError(t, json.Unmarshal(policy.Encode(pol), &all))
	for name, value := range change {
		all[name] = value
	}
	raw, err := json.Marshal(all)
	require.NoError(t, err)
	parsed, faults, err := policy.Parse(raw)
	require.NoError(t, err)
	require.Empty(t, faults, message)
	require.Empty(t, policy.Check(parsed, ref, wire), message)
}
