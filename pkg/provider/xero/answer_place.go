package xero

import (
	"maps"
	"regexp"
	"slices"
)

// envelope is the part of a place that says nothing to a reader: the wrapper
// around the one element that was sent.
var envelope = regexp.MustCompile(`^(Elements|Invoices|CreditNotes|Contacts|Payments|Allocations|Items)?\[\d+\]\.?`)

func labelled(place, message string) string {
	place = envelope.ReplaceAllString(place, "")
	if place == "" {
		return message
	}
	return place + ": " + message
}

func join(place, key string) string {
	key = clip(key, maxPlace)
	if place == "" {
		return key
	}
	return place + "." + key
}

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }
