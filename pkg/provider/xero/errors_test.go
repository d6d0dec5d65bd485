package xero_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/canon/canontest"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/provider/xero/xerosim"
)

// answerCase is a row of the table of answers: what Xero says, what that means for a
// write and for a read, and whether a write took effect by its documentation.
type answerCase struct {
	name   string
	status int
	body   string
	header http.Header
	write  provider.Kind
	wrote  provider.Wrote
	read   provider.Kind
	code   string
	reason string // of the write's failure
	wait   time.Duration
	says   string // the failure's text holds
}

func validation(messages string) string {
	return `{"ErrorNumber":10,"Type":"ValidationException","Message":"A validation exception occurred","Elements":[{"InvoiceNumber":"1","ValidationErrors":[` + messages + `]}]}`
}

func limit(problem, retryAfter string) http.Header {
	h := http.Header{}
	if problem != "" {
		h.Set("X-Rate-Limit-Problem", problem)
	}
	if retryAfter != "" {
		h.Set("Retry-After", retryAfter)
	}
	return h
}

func answerCases() []answerCase {
	const (
		temporary, limited       = provider.Temporary, provider.RateLimited
		no, maybe                = provider.WroteNo, provider.WroteMaybe
		auth, held, refused, bug = provider.Auth, provider.Held, provider.Refused, provider.Bug
		aProvider, aHTTP         = provider.CodeProvider, provider.CodeHTTP
		aValidation, anAuth      = provider.CodeValidation, provider.CodeAuth
		aRate, internal          = provider.CodeRateLimited, provider.CodeInternal
	)
	return []answerCase{
		{name: "validation", status: 400, body: validation(`{"Message":"Quantity is wrong"}`), write: refused, wrote: no, read: bug, code: aValidation, says: "Quantity is wrong"},
		{name: "validation with Description", status: 400, body: validation(`{"Description":"Quantity is wrong"}`), write: refused, wrote: no, read: bug, code: aValidation, says: "Quantity is wrong"},
		{name: "validation of a line", status: 400, body: `{"Type":"ValidationException","Elements":[{"LineItems":[{},{"ValidationErrors":[{"Message":"Too long"}]}]}]}`,
			write: refused, wrote: no, read: bug, code: aValidation, says: "LineItems[1]: Too long"},
		{name: "validation without elements", status: 400, body: `{"Type":"ValidationException","Message":"No"}`, write: refused, wrote: no, read: bug, code: aValidation, says: "No"},
		{name: "period locked", status: 400, body: validation(`{"Message":"The document date cannot be before the period lock date, currently set at 31 March 2026"}`), write: held, wrote: no, read: bug, code: aProvider, reason: "period_locked"},
		{name: "year locked", status: 400, body: validation(`{"Message":"The document date cannot be before the end of year lock date, currently set at 31 March 2026"}`), write: held, wrote: no, read: bug, code: aProvider, reason: "period_locked"},
		{name: "currency off", status: 400, body: validation(`{"Message":"Organisation is not subscribed to currency EUR"}`), write: held, wrote: no, read: bug, code: aProvider, reason: "currency_not_enabled"},
		{name: "account archived", status: 400, body: validation(`{"Message":"Account code '200' has been archived, or has been deleted. Each line item must reference a valid account"}`), write: held, wrote: no, read: bug, code: aProvider, reason: "account_archived"},
		{name: "account invalid", status: 400, body: validation(`{"Message":"Account code '090' is not a valid code for this document."}`), write: held, wrote: no, read: bug, code: aProvider, reason: "account_invalid"},
		{name: "contact archived", status: 400, body: validation(`{"Message":"The contact with the specified contact details has been archived. The contact must be un-archived before creating new invoices or credit notes."}`), write: held, wrote: no, read: bug, code: aProvider, reason: "contact_archived"},
		{name: "plan cap", status: 400, body: validation(`{"Message":"You have reached the limit of invoices you can approve."}`), write: held, wrote: no, read: bug, code: aProvider, reason: "plan_limit"},
		{name: "tax type unusable", status: 400, body: validation(`{"Message":"The TaxType code 'INPUT2' cannot be used with account code '200'."}`), write: held, wrote: no, read: bug, code: aProvider, reason: "tax_type_invalid"},
		{name: "lock date beside a plain fault", status: 400, body: validation(`{"Message":"Something odd"},{"Message":"before the period lock date"}`), write: held, wrote: no, read: bug, code: aProvider, reason: "period_locked", says: "Something odd"},
		{name: "query", status: 400, body: `{"ErrorNumber":16,"Type":"QueryParseException","Message":"No property"}`, write: bug, read: bug, code: internal},
		{name: "post data", status: 400, body: `{"ErrorNumber":17,"Type":"PostDataInvalidException","Message":"JSON"}`, write: bug, read: bug, code: internal},
		{name: "high volume", status: 400, body: `{"ErrorNumber":51,"Type":"HighVolumeException"}`, write: bug, read: bug, code: internal},
		{name: "key conflict", status: 400, body: `{"Message":"Idempotency Key: k is used with a different request."}`, write: temporary, wrote: maybe, read: bug, code: aProvider, reason: "idempotency_conflict"},
		{name: "400 html", status: 400, body: `<html>bad</html>`, write: refused, read: bug, code: aValidation},
		{name: "400 empty", status: 400, write: refused, read: bug, code: aValidation},
		{name: "token expired", status: 401, body: `{"Title":"Unauthorized","Status":401,"Detail":"TokenExpired: token expired at 11/20/2026"}`, write: auth, read: auth, code: anAuth, says: "TokenExpired"},
		{name: "scope missing", status: 401, body: `{"Detail":"AuthorizationUnsuccessful"}`, write: auth, read: auth, code: anAuth},
		{name: "401 empty", status: 401, write: auth, read: auth, code: anAuth},
		{name: "not connected", status: 403, body: `{"Detail":"AuthenticationUnsuccessful"}`, write: auth, read: auth, code: anAuth},
		{name: "403 html", status: 403, body: `<html>forbidden</html>`, write: auth, read: auth, code: anAuth},
		{name: "404", status: 404, write: held, code: aProvider, reason: "contact_not_found"},
		{name: "404 html", status: 404, body: "<html>", write: held, code: aProvider, reason: "contact_not_found"},
		{name: "408", status: 408, write: temporary, wrote: maybe, read: temporary, code: aHTTP},
		{name: "409", status: 409, write: bug, read: bug, code: internal},
		{name: "412", status: 412, write: bug, read: bug, code: internal},
		{name: "413", status: 413, write: refused, read: bug, code: aValidation},
		{name: "429 minute", status: 429, header: limit("minute", "17"), write: limited, read: limited, code: aRate, reason: "minute", wait: 17 * time.Second},
		{name: "429 Minute without wait", status: 429, header: limit("Minute", ""), write: limited, read: limited, code: aRate, reason: "minute", wait: time.Minute},
		{name: "429 day", status: 429, header: limit("day", "66975"), write: limited, read: limited, code: aRate, reason: "day", wait: 66975 * time.Second},
		{name: "429 day without wait", status: 429, header: limit("day", ""), write: limited, read: limited, code: aRate, reason: "day", wait: time.Hour},
		{name: "429 concurrent", status: 429, header: limit("concurrent", ""), write: limited, read: limited, code: aRate, reason: "concurrent", wait: 2 * time.Second},
		{name: "429 app", status: 429, header: limit("appminute", ""), write: limited, read: limited, code: aRate, reason: "app", wait: time.Minute},
		{name: "429 bare", status: 429, body: "<html>slow down</html>", write: limited, read: limited, code: aRate, wait: time.Minute},
		{name: "429 absurd wait", status: 429, header: limit("day", "99999999"), write: limited, read: limited, code: aRate, reason: "day", wait: 24 * time.Hour},
		{name: "429 wait of nothing", status: 429, header: limit("minute", "0"), write: limited, read: limited, code: aRate, reason: "minute", wait: time.Second},
		{name: "429 wait as a date", status: 429, header: limit("minute", "Wed, 29 Apr 2026 10:12:00 GMT"), write: limited, read: limited, code: aRate, reason: "minute", wait: time.Minute},
		{name: "500", status: 500, body: `{"ErrorNumber":500,"Message":"An error occurred in Xero"}`, write: temporary, wrote: maybe, read: temporary, code: aProvider},
		{name: "500 html", status: 500, body: "<html>", write: temporary, wrote: maybe, read: temporary, code: aProvider},
		{name: "501", status: 501, write: bug, read: bug, code: internal},
		{name: "502", status: 502, body: "<html>Bad gateway</html>", write: temporary, wrote: maybe, read: temporary, code: aHTTP},
		{name: "503 maintenance", status: 503, body: "The Xero API is currently offline for maintenance", write: temporary, read: temporary, code: aProvider},
		{name: "503 organisation", status: 503, body: "The Organisation is offline", write: temporary, read: temporary, code: aProvider, wait: 5 * time.Minute},
		{name: "503 with wait", status: 503, header: limit("", "30"), write: temporary, read: temporary, code: aProvider, wait: 30 * time.Second},
		{name: "504", status: 504, write: temporary, wrote: maybe, read: temporary, code: aHTTP},
		{name: "599", status: 599, write: temporary, wrote: maybe, read: temporary, code: aProvider},
		{name: "redirect", status: 304, write: temporary, read: temporary, code: aHTTP},
		{name: "204", status: 204, write: temporary, wrote: maybe, read: temporary, code: aProvider},
		{name: "200 html", status: 200, body: "<html>captive portal</html>", write: temporary, wrote: maybe, read: temporary, code: aProvider},
		{name: "200 empty", status: 200, write: temporary, wrote: maybe, read: temporary, code: aProvider},
		{name: "200 cut off", status: 200, body: `{"Invoices":[{"InvoiceID":"5ee`, write: temporary, wrote: maybe, read: temporary, code: aProvider},
		{name: "200 without the document", status: 200, body: `{"Invoices":[]}`, write: temporary, wrote: maybe, code: aProvider},
		{name: "200 with null", status: 200, body: `{"Invoices":null}`, write: temporary, wrote: maybe, code: aProvider},
		{name: "200 with a silent error", status: 200, body: `{"Invoices":[{"InvoiceID":"00000000-0000-0000-0000-000000000000","InvoiceNumber":"100000042"}]}`, write: temporary, wrote: maybe, code: aProvider},
		{name: "200 with an error that has an id", status: 200, body: `{"Invoices":[{"InvoiceID":"5eed0000-0000-4000-8000-000000000099","InvoiceNumber":"100000042","StatusAttributeString":"ERROR","ValidationErrors":[{"Message":"Nope"}]}]}`,
			write: refused, wrote: no, code: aValidation, says: "Nope"},
		{name: "200 with HasErrors as text", status: 200, body: `{"Invoices":[{"InvoiceID":"5eed0000-0000-4000-8000-000000000099","InvoiceNumber":"100000042","HasErrors":"true","ValidationErrors":[{"Description":"Nope"}]}]}`,
			write: refused, wrote: no, code: aValidation, says: "Nope"},
	}
}

func Test_Answers_to_a_write_mean_what_the_table_says(t *testing.T) {
	t.Parallel()
	b := setup(t)
	doc := b.document(t, canontest.Named(t, "plain_vat").Invoice, samplePolicy())
	for _, c := range answerCases() {
		b.sim.Inject(xerosim.Fault{Operation: "PUT /Invoices", Status: c.status, Body: c.body, Header: c.header})
		_, err := ensureInvoice(b.ctx, b.client, doc, provider.Try{Key: c.name})
		f := failure(t, err)
		requireMeans(t, c, c.write, f)
		require.Equal(t, c.reason, f.Reason, c.name)
		require.Equal(t, c.wrote, f.Wrote, c.name)
		require.NotContains(t, f.Error(), testToken)
	}
	require.Empty(t, b.sim.Invoices())
}

func Test_Answers_to_a_read_mean_what_the_table_says(t *testing.T) {
	t.Parallel()
	b := setup(t)
	doc := b.document(t, canontest.Named(t, "plain_vat").Invoice, samplePolicy())
	for _, c := range answerCases() {
		if c.read == "" {
			continue // for a read this is no failure
		}
		b.sim.Inject(xerosim.Fault{Operation: "GET /Invoices", Status: c.status, Body: c.body, Header: c.header})
		_, err := ensureInvoice(b.ctx, b.client, doc, provider.Try{Key: c.name, Uncertain: true})
		f := failure(t, err)
		requireMeans(t, c, c.read, f)
		require.Equal(t, provider.WroteAsBefore, f.Wrote, c.name)
		require.False(t, f.KeySpent, c.name)
	}
	require.Zero(t, b.sim.Calls("PUT /Invoices"), "what cannot be looked up must not be posted")
}

func requireMeans(t *testing.T, c answerCase, kind provider.Kind, f *provider.Failure) {
	t.Helper()
	require.Equal(t, kind, f.Kind, c.name)
	if kind != provider.Bug {
		require.Equal(t, c.code, f.Code, c.name)
	}
	require.Equal(t, c.wait, f.RetryAfter, c.name)
	require.NotEmpty(t, f.Message, c.name)
	if kind != provider.Bug { // the operator reads the answer as it came
		require.Contains(t, f.Error(), c.says, c.name)
	}
	require.LessOrEqual(t, len(f.Detail), 2000, c.name)
}

// A proxy that echoes the request's headers must not put the token on the page
// of a run.
func Test_Token_is_scrubbed_from_what_the_other_side_says(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.sim.Inject(xerosim.Fault{Status: 500, Body: "you sent Bearer " + testToken})
	_, err := ensureContact(b.ctx, b.client, policy.Buyer{Key: "1", Name: "N"}, provider.Try{Key: "k"})
	f := failure(t, err)
	require.Contains(t, f.Detail, "Bearer [token]")
	require.NotContains(t, f.Error(), testToken)

	ctx, trace := provider.Traced(b.ctx)
	b.sim.Inject(xerosim.Fault{Status: 500, Body: "you sent Bearer " + testToken})
	_, _ = b.client.Reference(ctx)
	stored, err := provider.EncodeCalls(trace.Calls())
	require.NoError(t, err)
	require.Contains(t, string(stored), "[token]")
	require.NotContains(t, string(stored), testToken)
}

func Test_Real_refusals_of_token_and_organisation_are_auth(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*xerosim.Config){
		"token":        func(c *xerosim.Config) { c.Tokens = []string{"another"} },
		"organisation": func(c *xerosim.Config) { c.OrgID = "5eed5eed-0000-4000-8000-00000000ffff" },
	} {
		b := setup(t, change)
		_, err := ensureContact(b.ctx, b.client, policy.Buyer{Key: "1", Name: "N"}, provider.Try{Key: "k"})
		require.Equal(t, provider.Auth, failure(t, err).Kind, name)
		_, err = b.client.Reference(b.ctx)
		require.Equal(t, provider.Auth, failure(t, err).Kind, name)
	}
}

func Test_Minute_limit_of_Xero_is_rate_limited_with_its_wait(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *xerosim.Config) { c.Limits = xerosim.Limits{PerMinute: 1} })
	buyer := policy.Buyer{Key: "1", Name: "N"}
	_, err := ensureContact(b.ctx, b.client, buyer, provider.Try{Key: "k"})
	require.NoError(t, err)
	_, err = ensureContact(b.ctx, b.client, buyer, provider.Try{Key: "k"})
	f := failure(t, err)
	require.Equal(t, provider.RateLimited, f.Kind)
	require.Equal(t, 49*time.Second, f.RetryAfter, "12 seconds into the minute")
	b.clock.advance(f.RetryAfter)
	_, err = ensureContact(b.ctx, b.client, buyer, provider.Try{Key: "k"})
	require.NoError(t, err)
}
