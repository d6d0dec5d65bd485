// Package canon holds the shop's canonical documents: what the shop says an
// invoice, its customer and its lines are, with money as exact decimals.
// It decides nothing and imports nothing of this project.
package canon
