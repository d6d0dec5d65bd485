package dashboard

import (
	"fmt"
	"strings"
	"time"
)

// This file says in plain words where a connection stands, on the shop's side and
// on the ledger's: what is wrong, and what a person does about it.

// standing is where one side of a connection stands.
type standing struct {
	Tone    string // the status of a run whose colour it has
	Name    string
	Why, Do string // empty: nothing is to be done
	Command string // for who runs Towpath, where a button does not do
}

// Status of a binding and of a shop; see schema.sql.
const (
	isActive       = "active"
	isNeedsConsent = "needs_consent"
	isRevoked      = "revoked"
	isPending      = "pending"
	isTokenRevoked = "token_revoked"
)

// invalidGrant is how an identity server says that a consent is no more.
const invalidGrant = "invalid_grant"

func (c connection) shopStanding() standing {
	pair := "towpath tenant pair --tenant " + c.TenantID.String() + " --magento-url " + c.MagentoUrl + " --provider " + c.Provider + " --code CODE"
	switch c.ConnectionStatus {
	case isActive:
		if c.ShopSilentSince != nil {
			return silent("The shop", *c.ShopSilentSince, c.ShopProbeAt, "The shop takes calls and does not answer in time.")
		}
		return standing{Tone: "succeeded", Name: "Connected"}
	case isPending:
		return standing{Tone: "held", Name: "Pairing not finished",
			Why:     "The shop has not confirmed the pairing: the code was refused, or no answer came.",
			Do:      "Make a pairing code in the shop's admin and pair it.",
			Command: pair}
	case isTokenRevoked:
		return standing{Tone: "failed", Name: "Refuses the key",
			Why:     "The shop refuses Towpath's key: it was given another one, or disconnected. Its documents wait.",
			Do:      "Make a pairing code in the shop's admin and pair it again: it gets a new key.",
			Command: pair}
	}
	return standing{Tone: "held", Name: strings.ReplaceAll(c.ConnectionStatus, "_", " ")}
}

func (c connection) standing() standing {
	switch c.Status {
	case isActive:
		if c.LedgerSilentSince != nil {
			return silent(c.Ledger, *c.LedgerSilentSince, c.LedgerProbeAt, sentence(c.LedgerSaid))
		}
		return standing{Tone: "succeeded", Name: "Connected"}
	case isRevoked:
		return standing{Tone: "cancelled", Name: "Revoked"}
	case isNeedsConsent:
		return c.unconnected()
	}
	return standing{Tone: "held", Name: strings.ReplaceAll(c.Status, "_", " ")}
}

// silent is a server that does not answer: its runs are held until a probe is answered.
func silent(who string, since time.Time, probe *time.Time, why string) standing {
	next := ""
	if probe != nil {
		next = ", next from " + probe.UTC().Format("15:04:05") + " UTC on"
	}
	return standing{Tone: "held", Name: "Does not answer",
		Why: why + " That has been so since " + since.UTC().Format("2 January 15:04:05") + " UTC. All that waits for it is held; nothing is lost.",
		Do:  "Towpath asks one at a time" + next + ", and goes on by itself when it answers. If it stays so, see to " + lowerFirst(who) + "'s server."}
}

// sentence is a text with a full stop.
func sentence(text string) string {
	if text == "" {
		return "It takes calls and does not answer in time."
	}
	return strings.ToUpper(text[:1]) + strings.TrimSuffix(text[1:], ".") + "."
}

// lowerFirst is "the shop" of "The shop"; a name keeps its letter.
func lowerFirst(who string) string {
	if strings.HasPrefix(who, "The ") {
		return "the " + who[4:]
	}
	return who
}

// unconnected says why a connection needs a person: which of its credentials is
// missing or refused.
func (c connection) unconnected() standing {
	connect := "towpath binding connect " + c.ID.String()
	switch refused := text(c.Refused); {
	case c.FixedToken:
		return standing{Tone: "failed", Name: "Needs a new token",
			Why:     c.Ledger + " refuses the access token: it has expired or was withdrawn.",
			Do:      "Get a new one and give it to Towpath.",
			Command: "towpath binding token " + c.ID.String() + " --token-file FILE"}
	case refused == invalidGrant && c.AppKind == byConsent:
		return standing{Tone: "failed", Name: "Needs consent",
			Why:     "The consent has ended: Towpath was disconnected in " + c.Ledger + ", or the consent ran out.",
			Do:      "Connect again" + c.asWhom() + ".",
			Command: connect}
	case refused != "":
		return standing{Tone: "failed", Name: "App refused",
			Why:     fmt.Sprintf("%s does not accept the app that Towpath connects with (%s).", c.Ledger, refused),
			Do:      "Check the app's id, secret and scopes where it was made, then connect again. A new secret is given with the command.",
			Command: connect + " --client-secret-file FILE"}
	case !c.AppHasTokens && c.AppKind == byApp:
		return standing{Tone: "held", Name: "Not connected yet",
			Why:     "The custom connection has not been made yet.",
			Do:      "Connect it; nobody needs to log in.",
			Command: connect}
	case !c.AppHasTokens:
		return standing{Tone: "held", Name: "Needs consent",
			Why:     "Nobody has allowed Towpath to post into " + c.Ledger + " yet.",
			Do:      "Connect it" + c.asWhom() + ".",
			Command: connect}
	}
	return standing{Tone: "failed", Name: "Access refused",
		Why:     c.Ledger + " refuses access to the organisation: it was disconnected there, or something that the app needs was not allowed.",
		Do:      "Connect again" + c.asWhom() + ".",
		Command: connect}
}

// asWhom says who can connect and what to choose; empty where nobody logs in.
func (c connection) asWhom() string {
	if c.AppKind != byConsent {
		return ""
	}
	which := "the organisation that the invoices belong to"
	if name := c.OrganisationName(); name != "" {
		which = name
	}
	return ": log in as somebody who may manage " + which + ", and choose it"
}

// OrganisationName is its name where that is known, else its id; empty before the
// first connection.
func (c connection) OrganisationName() string {
	if c.Organisation != "" {
		return c.Organisation
	}
	return c.OrgID
}

func (c connection) method() string {
	switch {
	case c.FixedToken:
		return "Fixed token, which Towpath cannot renew"
	case c.AppKind == byApp:
		return "Custom connection: the app's own credentials, no login"
	case c.ByConsent:
		return "Consent of a person, kept alive by Towpath"
	}
	return strings.ReplaceAll(c.AppKind, "_", " ")
}

func (c connection) token(now time.Time) moment {
	switch {
	case c.FixedToken:
		return moment{Text: "When it expires is not known"}
	case c.Refused != nil:
		return momentOf(now, "Refused", c.RefusedAt)
	case c.ExpiresAt == nil:
		return moment{Text: "None yet"}
	case c.ExpiresAt.After(now):
		return momentOf(now, "Renewed by itself; this one expires", c.ExpiresAt)
	}
	return momentOf(now, "Renewed before the next call; this one expired", c.ExpiresAt)
}

// reference says how old what the settings may refer to is.
func (c connection) reference(now time.Time) moment {
	switch {
	case c.ReferenceAt == nil:
		return moment{Text: "Not read yet; the workers do that"}
	case now.Sub(*c.ReferenceAt) > 24*time.Hour:
		return momentOf(now, "To be read again; last read", c.ReferenceAt)
	}
	return momentOf(now, "Read", c.ReferenceAt)
}
