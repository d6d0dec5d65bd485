// Package oauth keeps the OAuth tokens of the bindings: it gets them by a
// consent or by an app's own credentials, renews them, and hands them to the
// clients of the providers (Source).
//
// The database's row is the truth. No process keeps a token between two calls,
// and how long one lasts is told by the database's clock, so processes whose
// clocks differ agree.
//
// A refresh, and what is left if the process dies right after each step:
//
//	lock the row        the lock goes with the connection
//	ask for new tokens  the stored refresh token is spent, the new one lost. The
//	                    next refresh uses the old one again: Xero takes it for
//	                    thirty minutes
//	commit the tokens   they are stored; nobody has used them
//	use them
//
// A consent: the state is used up and committed, the code is exchanged, the
// organisation looked at, and one transaction stores the tokens, makes the
// binding active and releases its held runs. If the process dies before that
// commit, nothing is stored and the consent is given again.
//
// Reading order: keeper.go, source.go, renew.go, identity.go; consent.go,
// callback.go, connect.go, organisations.go; rotate.go.
package oauth
