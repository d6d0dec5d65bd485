// Package magento is the client of the shop: it reads canonical documents and
// payment methods, tells the shop how a document ended, and pairs.
//
// Every call is safe to repeat but Pair, so any doubt about an answer is a
// temporary failure: the caller tries again. A failure is final only where the
// shop's own module says so, in JSON; what a proxy, a firewall or a maintenance
// page says in its place is not. One table decides: see judge in failure.go.
package magento
