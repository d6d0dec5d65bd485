//go:build race

package xero

const underRace = true
