package xero_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"towpath/pkg/canon/canontest"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/provider/xero/xerosim"
)

func Test_Fifty_documents_are_created_with_one_call_in_any_order_of_the_answer(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		b := setup(t, func(c *xerosim.Config) { c.ShuffleBatches = seed })
		set := b.documentsOf(t, canontest.Samples(t), 50)
		b.posted(t, set, b.client.EnsureInvoices(b.ctx, set))
		require.Equal(t, []string{"PUT /Invoices"}, b.wire.sequence())
		elements, largest := b.sim.Batches("PUT /Invoices")
		require.Equal(t, []int{50, 50}, []int{elements, largest})

		call := b.wire.of("PUT /Invoices")[0]
		require.Equal(t, "/api.xro/2.0/Invoices?summarizeErrors=false&unitdp=4", call.uri)
		require.Len(t, call.key, 64)
		for i, element := range elementsOf(t, "Invoices", call.body) {
			require.Equal(t, `{"Invoices":[`+string(element)+`]}`, string(set[i].Value.Body), "no byte is changed")
		}
	}
}

func Test_Body_of_fifty_documents_is_taken_by_the_published_spec(t *testing.T) {
	t.Parallel()
	spec := publishedSpec(t)
	b := setup(t)
	samples := slices.DeleteFunc(canontest.Samples(t), func(s canontest.Sample) bool {
		return s.Name == "two_hundred_lines" // judged by itself, and slowly
	})
	set := b.documentsOf(t, samples, 50)
	b.posted(t, set, b.client.EnsureInvoices(b.ctx, set))
	call := b.wire.of("PUT /Invoices")[0]
	require.Len(t, elementsOf(t, "Invoices", call.body), 50)
	spec.accepts(t, "PUT", strings.TrimPrefix(call.uri, "/api.xro/2.0"), call.body)
}

func Test_Empty_set_makes_no_call(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.Empty(t, b.client.EnsureInvoices(b.ctx, nil))
	require.Empty(t, b.client.EnsureContacts(b.ctx, nil))
	require.Empty(t, b.wire.sequence())
	require.Equal(t, 50, b.client.BatchSize())
}

func Test_Key_of_a_set_follows_from_its_keys_in_their_order(t *testing.T) {
	t.Parallel()
	b := setup(t)
	set := b.documents(t, 3)
	keyOf := func(set documents) string {
		b.sim.Inject(xerosim.Fault{Operation: "PUT /Invoices", Status: http.StatusServiceUnavailable})
		b.wire.forget()
		b.client.EnsureInvoices(b.ctx, set)
		return b.wire.of("PUT /Invoices")[0].key
	}
	first := keyOf(set)
	require.Equal(t, first, keyOf(set))
	require.NotEqual(t, first, keyOf(documents{set[1], set[0], set[2]}))
	require.NotEqual(t, first, keyOf(set[:2]))
	other := slices.Clone(set)
	other[2].Try.Key = "another"
	require.NotEqual(t, first, keyOf(other))
	require.Equal(t, set[0].Try.Key, keyOf(set[:1]), "a set of one has its own key")
}

// Every way that a document of a set can end, beside the others.
func Test_Each_document_of_a_set_has_its_own_fate(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		b := setup(t, func(c *xerosim.Config) { c.ShuffleBatches = seed })
		set := b.documents(t, 8)
		for _, i := range []int{1, 2, 4, 5} { // these are there already
			_, err := ensureInvoice(b.ctx, b.client, set[i].Value, provider.Try{Key: fmt.Sprint("earlier", i)})
			require.NoError(t, err)
		}
		set[2].Value.Total = set[2].Value.Total.Add(dec("1")) // so that is another's
		set[3].Value.Body = replacedIn(set[3].Value.Body, `"AccountCode":"200"`, `"AccountCode":"090"`)
		set[4].Try.Uncertain = true
		set[5].Value.ContactID, set[5].Try.Uncertain = "5eed0000-0000-4000-8000-00000000dead", true
		set[6].Try.Uncertain = true // not there
		set[7].Value.Body = replacedIn(set[7].Value.Body, `"Description":"`, `"Description":"`+strings.Repeat("x", 5000))
		b.wire.forget()

		outcomes := b.client.EnsureInvoices(b.ctx, set)
		require.Equal(t, []string{"ok", "adopted", "number_taken", "account_invalid", "adopted", "number_taken", "ok", "refused"}, fates(outcomes))
		require.Equal(t, []string{"GET /Invoices", "PUT /Invoices", "GET /Invoices"}, b.wire.sequence())
		require.Equal(t, "N005,N006,N007", b.wire.calls[0].query.Get("InvoiceNumbers"))
		require.Len(t, elementsOf(t, "Invoices", b.wire.calls[1].body), 6)
		require.Equal(t, "N002,N003", b.wire.calls[2].query.Get("InvoiceNumbers"))
		for _, i := range []int{0, 1, 4, 6} {
			b.isOnce(t, set[i].Value, outcomes[i].Value)
		}
		require.Contains(t, outcomes[7].Err.Error(), "4000 characters")
		require.Len(t, b.sim.Invoices(), 6)
	}
}

func replacedIn(body []byte, old, new string) []byte {
	return []byte(strings.Replace(string(body), old, new, 1))
}

func Test_Locked_date_holds_one_document_of_a_set(t *testing.T) {
	t.Parallel()
	b := setup(t)
	inv, contact := plain(t), b.sim.AddContact("1", "Somebody")
	var set documents
	for i, day := range []int{28, 29, 30} {
		inv.IncrementID, inv.CreatedAt = fmt.Sprint("N", i), inv.CreatedAt.AddDate(0, 0, day-inv.CreatedAt.Day())
		doc, err := b.client.Document(inv, samplePolicy(), b.reference(t), contact, runURL)
		require.NoError(t, err)
		set = append(set, provider.Item[provider.Document]{Value: doc, Try: provider.Try{Key: doc.Number}})
	}
	require.NoError(t, b.sim.SetLockDates("2026-04-28", ""))
	require.Equal(t, []string{"period_locked", "ok", "ok"}, fates(b.client.EnsureInvoices(b.ctx, set)))
}

// Two of a set with one number: never is one answer taken for both.
func Test_Second_document_with_a_number_of_the_set_comes_again(t *testing.T) {
	t.Parallel()
	b := setup(t)
	set := b.documents(t, 3)
	twin := b.documents(t, 3)[1]
	twin.Value.Number, twin.Value.Body = "n001", replacedIn(twin.Value.Body, "N002", "n001")
	set = append(set, set[0], twin)
	set[3].Try.Key = "another"
	outcomes := b.client.EnsureInvoices(b.ctx, set)
	require.Equal(t, []string{"ok", "ok", "ok", "temporary", "temporary"}, fates(outcomes))
	require.Len(t, b.sim.Invoices(), 3)

	again := b.client.EnsureInvoices(b.ctx, documents{set[3], twin})
	require.Equal(t, []string{"adopted", "temporary"}, fates(again), "numbers are compared without case")
	again = b.client.EnsureInvoices(b.ctx, documents{twin})
	require.Equal(t, []string{"number_taken"}, fates(again))
}

func Test_Document_that_the_answer_does_not_show_is_looked_up(t *testing.T) {
	t.Parallel()
	for name, alter := range map[string]func(string, []byte) []byte{
		"missing":        without("N002"),
		"another number": replaced("PUT /Invoices", `"N002"`, `"n002"`),
		"no reason":      replaced("PUT /Invoices", `"InvoiceNumber":"N002"`, `"InvoiceNumber":"N002","HasErrors":"true","InvoiceID":"00000000-0000-0000-0000-000000000000"`),
	} {
		b := setup(t)
		set := b.documents(t, 3)
		b.wire.answerWith(alter)
		outcomes := b.client.EnsureInvoices(b.ctx, set)
		require.Equal(t, []string{"ok", "maybe", "ok"}, fates(outcomes), name)
		require.True(t, failure(t, outcomes[1].Err).KeySpent, "the answer is remembered under the key")
		require.Equal(t, []string{"PUT /Invoices"}, b.wire.sequence())

		b.wire.answerWith(nil)
		outcomes = b.client.EnsureInvoices(b.ctx, uncertain(set))
		require.Equal(t, []string{"adopted", "adopted", "adopted"}, fates(outcomes), name)
		b.posted(t, set, outcomes)
	}
}

func Test_Saved_element_counts_where_an_answer_shows_a_number_twice(t *testing.T) {
	t.Parallel()
	for _, order := range []string{`%s,%s`, `%[2]s,%[1]s`} {
		b := setup(t)
		set := b.documents(t, 2)
		bad := `{"InvoiceNumber":"N001","HasErrors":true,"ValidationErrors":[{"Message":"No"}]}`
		good := `{"InvoiceNumber":"N001","InvoiceID":"5eed0000-0000-4000-8000-0000000000aa"}`
		b.sim.Inject(xerosim.Fault{Operation: "PUT /Invoices", Status: 200, Body: `{"Invoices":[` + fmt.Sprintf(order, bad, good) + `]}`})
		require.Equal(t, []string{"ok", "maybe"}, fates(b.client.EnsureInvoices(b.ctx, set)))
	}
}

// A 400 that names elements: whether the others were saved is not said.
func Test_Refusal_with_elements_judges_these_and_leaves_the_others_unknown(t *testing.T) {
	t.Parallel()
	for _, saved := range []bool{false, true} {
		b := setup(t)
		set := b.documents(t, 4)
		fault := xerosim.Fault{Operation: "PUT /Invoices", Status: 400, Body: `{"ErrorNumber":10,"Type":"ValidationException","Elements":[
			{"InvoiceNumber":"N003","ValidationErrors":[{"Message":"Quantity is wrong"}]},
			{"InvoiceNumber":"N001","InvoiceID":"5eed0000-0000-4000-8000-0000000000aa"}]}`}
		if saved {
			fault.When = xerosim.After
		}
		b.sim.Inject(fault)
		outcomes := b.client.EnsureInvoices(b.ctx, set)
		require.Equal(t, []string{"maybe", "maybe", "refused", "maybe"}, fates(outcomes))
		require.True(t, failure(t, outcomes[0].Err).KeySpent)
		require.Equal(t, []string{"PUT /Invoices"}, b.wire.sequence())
		b.posted(t, set, b.client.EnsureInvoices(b.ctx, otherKeys(uncertain(set))))
	}
}

// otherKeys are a caller's after an answer.
func otherKeys(set documents) documents {
	again := slices.Clone(set)
	for i := range again {
		again[i].Try.Key += " again"
	}
	return again
}

func Test_Large_set_is_sent_in_calls_of_fifty(t *testing.T) {
	t.Parallel()
	b := setup(t)
	set := b.documents(t, 120)
	b.posted(t, set, b.client.EnsureInvoices(b.ctx, set))
	elements, largest := b.sim.Batches("PUT /Invoices")
	require.Equal(t, []int{120, 50, 3}, []int{elements, largest, b.sim.Calls("PUT /Invoices")})
}

func Test_Large_documents_are_sent_in_calls_below_the_limit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	set := b.documents(t, 6)
	for i := range set {
		set[i].Value.Body = replacedIn(set[i].Value.Body, `"Url":`, `"Note":"`+strings.Repeat("x", 1_300_000)+`","Url":`)
	}
	b.posted(t, set, b.client.EnsureInvoices(b.ctx, set))
	calls := b.wire.of("PUT /Invoices")
	require.Len(t, calls, 3)
	for _, call := range calls {
		require.LessOrEqual(t, len(call.body), 3_500_000)
	}
}

// What has no element to be joined with others goes by itself, and what is left
// over alone goes as a set of one does.
func Test_Document_that_cannot_be_joined_goes_alone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	set := b.documents(t, 4)
	set[1].Value.Body = []byte(`{"Invoices":[`)
	set[3].Try.Uncertain = true
	_, err := ensureInvoice(b.ctx, b.client, set[3].Value, set[3].Try)
	require.NoError(t, err)
	b.wire.forget()
	outcomes := b.client.EnsureInvoices(b.ctx, set)
	require.Equal(t, []string{"ok", "bug", "ok", "adopted"}, fates(outcomes))
	var keys []string
	for _, call := range b.wire.of("PUT /Invoices") {
		keys = append(keys, call.key)
	}
	require.Len(t, keys, 2)
	require.Equal(t, set[1].Try.Key, keys[1])

	b.wire.forget()
	outcomes = b.client.EnsureInvoices(b.ctx, append(uncertain(set[:1]), b.documents(t, 5)[4]))
	require.Equal(t, []string{"adopted", "ok"}, fates(outcomes))
	require.Equal(t, "key of N005", b.wire.of("PUT /Invoices")[0].key)
}

func Test_Sets_of_samples_come_to_the_penny(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *xerosim.Config) { c.ShuffleBatches, c.QuotedNumbers = 7, true })
	var set documents
	var people buyers
	samples := canontest.Samples(t)
	for i, sample := range samples {
		people = append(people, provider.Item[policy.Buyer]{Value: policy.BuyerOf(sample.Invoice, samplePolicy()), Try: provider.Try{Key: fmt.Sprint(i)}})
		people[i].Value.Key = fmt.Sprint("customer-", i)
	}
	ref := b.reference(t)
	for i, contact := range b.client.EnsureContacts(b.ctx, people) {
		require.NoError(t, contact.Err, samples[i].Name)
		inv := samples[i].Invoice
		inv.IncrementID = samples[i].Name
		doc, err := b.client.Document(inv, samplePolicy(), ref, contact.Value, runURL)
		require.NoError(t, err)
		set = append(set, provider.Item[provider.Document]{Value: doc, Try: provider.Try{Key: doc.Number}})
	}
	for i, o := range b.client.EnsureInvoices(b.ctx, set) {
		require.NoError(t, o.Err, samples[i].Name)
		require.Equal(t, samples[i].Invoice.GrandTotal.StringFixed(2), o.Value.Total.Decimal.StringFixed(2))
		require.Equal(t, set[i].Value.ContactID, o.Value.Contact)
	}
}

func Test_What_is_only_looked_for_is_adopted_or_absent_and_never_written(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 3} { // alone and as a set
		b := setup(t)
		set := b.documents(t, n)
		look := slices.Clone(set)
		for i := range look {
			look[i].Try.Look = true
		}
		for _, o := range b.client.EnsureInvoices(b.ctx, look) {
			require.NoError(t, o.Err)
			require.Equal(t, provider.Posted{Absent: true}, o.Value)
		}
		require.Empty(t, b.sim.Invoices())
		b.posted(t, set, b.client.EnsureInvoices(b.ctx, set))
		b.wire.forget()
		b.posted(t, look, b.client.EnsureInvoices(b.ctx, look))
		require.NotContains(t, b.wire.sequence(), "PUT /Invoices")

		pay := b.paying(t, b.there(t, look))
		for i := range pay {
			pay[i].Try.Look = true
		}
		for _, o := range b.client.EnsurePayments(b.ctx, pay) {
			require.NoError(t, o.Err)
			require.True(t, o.Value.Absent)
		}
		require.Empty(t, b.sim.Payments())
	}
}

// there are the documents of set as Xero has them.
func (b bundle) there(t *testing.T, set documents) (all []provider.Posted) {
	t.Helper()
	for _, o := range b.client.EnsureInvoices(b.ctx, set) {
		require.NoError(t, o.Err)
		all = append(all, o.Value)
	}
	return all
}

func Test_Calls_of_a_batch_are_kept_with_each_documents_own_part(t *testing.T) {
	t.Parallel()
	b := setup(t)
	set := b.documentsOf(t, canontest.Samples(t), 3)
	for i, o := range b.client.EnsureInvoices(b.ctx, set) {
		require.NoError(t, o.Err)
		require.Len(t, o.Calls, 1)
		call := o.Calls[0]
		require.Equal(t, string(set[i].Value.Body), string(call.Sent))
		require.Equal(t, []any{"PUT", "/Invoices?summarizeErrors=false&unitdp=4", 200, 3}, []any{call.Method, call.Path, call.Status, call.Together})
		for j, other := range set {
			require.Equal(t, i == j, strings.Contains(string(call.Answer), strconv.Quote(other.Value.Number)))
		}
		require.NotEmpty(t, call.ID)
	}
}
