//go:build !race

package xero

const underRace = false
