package main

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"towpath/pkg/demo"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/provider/xero/xerosim"
)

// What a person does on the pages, in a real browser and over the program as a process.
func Test_In_a_browser(t *testing.T) {
	pgtest.Long(t)
	t.Parallel()
	b := openBrowser(t)
	for name, test := range map[string]func(*testing.T, *browser){
		"A_wrong_password_is_refused_and_the_right_one_lets_in":             signingIn,
		"A_shop_is_paired_by_the_form":                                      pairing,
		"An_invoice_of_the_demo_is_watched_found_by_its_number_and_retried": demoing,
		"A_wrong_setting_is_refused_a_right_one_saved_and_the_old_restored": setting,
		"Of_two_who_save_settings_at_once_neither_overwrites_the_other":     settingAtOnce,
		"A_viewer_changes_nothing_and_is_out_when_the_session_ends":         viewing,
		"A_script_in_a_name_stays_text":                                     naming,
		"Failed_runs_are_retried_together_after_a_preview":                  retryingMany,
		"An_open_page_follows_what_happens_until_it_is_stopped":             following,
		"Every_page_can_be_used_by_all_in_light_dark_and_narrow":            everyPage,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, b)
		})
	}
}

func signingIn(t *testing.T, b *browser) {
	p := b.person(t, newDesk(t).serveProcess(t, "--roles", "dashboard").base)
	p.opens("/dashboard/held")
	p.types("User", "admin")
	p.types("Password", "not the password")
	p.presses("Sign in")
	p.sees("The user name or the password is wrong.")
	require.Equal(t, "password", tells[string](p, "document.activeElement.id"), "where one types again")
	p.types("Password", adminPassword+"\r")
	p.sees("Nothing is held", "admin, admin")
	p.presses("Sign out")
	p.waits("the sign-in page", `location.pathname === "/dashboard/sign-in"`)
	p.opens("/dashboard/held")
	p.sees("Password")
}

func pairing(t *testing.T, b *browser) {
	d := unpaired(t, magentosim.Config{})
	shop := d.shop
	d.shop = nil // serve would connect it
	s := d.with(map[string]string{"TOWPATH_BASE_URL": ""}).serveProcess(t, "--roles", "ingress,dashboard")
	p := b.person(t, s.base).signsIn("admin")
	p.presses("Shops")
	p.presses("Pair a shop")
	p.types("Address of the shop", d.shopURL)
	p.types("Pairing code", "not-the-code")
	p.presses("Pair")
	p.sees("Not paired:", "Nothing was changed.")
	require.Equal(t, "true", tells[string](p, `document.querySelector("#code").ariaInvalid`))
	require.Equal(t, d.shopURL, tells[string](p, `document.querySelector("#magento_url").value`), "what was right stays")
	p.types("Pairing code", shop.NewPairingCode())
	p.types("Name", "Books & Co")
	p.presses("Pair")
	p.sees("Books & Co is paired")
	p.presses("Open the shop")
	p.sees(d.shopURL, shop.TenantID())
	require.Equal(t, s.base, shop.LedgerURL())
}

func demoing(t *testing.T, b *browser) {
	_, _, page := demoProcess(t)
	p := b.person(t, "")
	p.opens(page)
	p.presses("Submit Invoice")
	p.sees("Synced")
	number := tells[string](p, `document.querySelector("[data-invoice] th").innerText`)
	p.presses("▾")
	p.presses("Xero refuses the data")
	p.sees("Failed", "Email address must be valid")
	refused := tells[string](p, `document.querySelector("[data-invoice] th").innerText`)

	p.presses("Towpath's dashboard")
	p.types("Find", number)
	p.presses("Filter")
	p.presses("Invoice " + number)
	p.sees("In Xero as M-"+number, "the shop knows", "History")
	p.presses("Runs")
	p.types("Find", refused+"\r")
	p.presses("Invoice " + refused)
	p.sees("Email address must be valid", "Mend what it says")
	p.presses("Retry")
	p.sees("The run was started again.", "In Xero as M-"+refused)
}

// settings opens those of the desk's binding.
func (p *person) settings(d *desk) {
	p.t.Helper()
	p.opens("/dashboard/bindings/" + d.binding + "/settings")
}

// inForce are a setting as it is stored.
func (d *desk) inForce(t *testing.T) map[string]any {
	t.Helper()
	var settings map[string]any
	decode(t, []byte(d.must(t, "binding", "policy", "get", d.binding)), &settings)
	return settings
}

func setting(t *testing.T, b *browser) {
	d := newDesk(t).connect(t)
	p := b.person(t, d.serveProcess(t).base).signsIn("admin")
	p.settings(d)
	p.types("Largest rounding line", "a lot")
	p.presses("See what this changes")
	p.sees("Nothing was saved: 1 setting has to be put right")
	require.Equal(t, "a lot", tells[string](p, `document.querySelector("#rounding_tolerance[aria-invalid=true]").value`))
	p.presses("Largest rounding line")
	p.waits("it leads to the input", `document.querySelector(":target")?.id === "rounding_tolerance"`)
	p.types("Largest rounding line", "0.10")
	p.presses("See what this changes")
	p.sees("Nothing is saved yet", `"0.1"`)
	require.Equal(t, "0.05", d.inForce(t)["rounding_tolerance"])
	p.presses("Save")
	p.sees("Version 3 is saved and in force")
	require.Equal(t, "0.1", d.inForce(t)["rounding_tolerance"])

	p.presses("Version 2")
	p.sees("What restoring it would change")
	p.presses("Restore it")
	p.sees("Nothing is saved yet")
	p.presses("Save")
	p.sees("Version 4 is saved and in force")
	require.Equal(t, "0.05", d.inForce(t)["rounding_tolerance"])
}

func settingAtOnce(t *testing.T, b *browser) {
	d := newDesk(t).connect(t)
	base := d.serveProcess(t).base
	d.adds(t, "ada", "admin")
	one, other := b.person(t, base).signsIn("admin"), b.person(t, base).signsIn("ada")
	one.settings(d)
	other.settings(d)
	other.types("Largest rounding line", "0.10")
	other.presses("See what this changes")
	other.presses("Save")
	other.sees("Version 3 is saved")

	one.types("Due after days", "30")
	one.presses("See what this changes")
	one.sees("Saved by somebody else meanwhile", "You began with version 2; ada saved version 3", "Largest rounding line")
	one.presses("See my changes on top of version 3")
	one.sees("Against version 3")
	one.presses("Save")
	one.sees("Version 4 is saved")
	settings := d.inForce(t)
	require.Equal(t, "0.1", settings["rounding_tolerance"])
	require.EqualValues(t, 30, settings["default_xero_payment_terms_days"])
}

// adds makes a user with the password that all have here.
func (d *desk) adds(t *testing.T, name, role string) {
	t.Helper()
	d.must(t, "user", "add", name, "--role", role, "--password-file", file(t, "password", adminPassword))
}

func viewing(t *testing.T, b *browser) {
	d := newDesk(t).connect(t)
	base := d.serveProcess(t).base
	d.adds(t, "vera", "viewer")
	p := b.person(t, base).signsIn("vera")
	p.settings(d)
	p.sees("Version 2 is in force")
	for _, offer := range []string{"See what this changes", "anew"} {
		p.seesNot(offer)
	}
	p.opens("/dashboard/pair")
	p.sees("Your role does not allow this", "This takes the role admin")
	require.Equal(t, http.StatusForbidden, tells[int](p, `fetch("/dashboard/held/release", {method: "POST", body: new URLSearchParams({reason: "auth"})}).then(a => a.status)`))

	d.xero.Inject(refusal("the address is wrong"))
	run := d.raise(t, demo.Cart(), "failed")
	p.opens("/dashboard/sync/" + run)
	p.sees("the address is wrong", "somebody with the role operator")
	require.Zero(t, tells[int](p, `document.querySelectorAll("main form").length`))

	p.opens("/dashboard/sync")
	d.must(t, "user", "sign-out", "vera")
	d.raise(t, demo.Cart(), "succeeded") // the open page asks for itself
	p.waits("the sign-in page", `location.pathname === "/dashboard/sign-in"`)
}

// refusal is Xero's of the next invoice.
func refusal(why string) xerosim.Fault {
	return xerosim.Fault{Operation: "PUT /Invoices", Status: http.StatusBadRequest, Body: fmt.Sprintf(
		`{"ErrorNumber":10,"Type":"ValidationException","Message":"A validation exception occurred","Elements":[{"ValidationErrors":[{"Message":%s}]}]}`, literal(why))}
}

// raise lets an invoice come to its end.
func (d *desk) raise(t *testing.T, cart magentosim.Cart, ends string) string {
	t.Helper()
	d.shop.RaiseInvoice(cart)
	run := d.send(t)
	until(t, ends, func() bool { return d.status(t, run) == ends })
	return run
}

func naming(t *testing.T, b *browser) {
	d := newDesk(t).connect(t)
	base := d.serveProcess(t).base
	const company, product, said, shop = `<script>window.ran = 1</script>`, `<img src=x onerror=window.ran=2>`, `<svg onload=window.ran=3>`, `"><script>window.ran = 4</script>`
	d.must(t, "tenant", "change", d.tenant, "--name", shop)
	cart, name := demo.Cart(), company
	cart.Customer.Company, cart.Items[0].Name = &name, product
	d.xero.Inject(refusal(said))
	run := d.raise(t, cart, "failed")
	p := b.person(t, base).signsIn("admin")
	p.signsInToFrame(d)
	for path, shown := range map[string][]string{
		"/dashboard":             {shop},
		"/dashboard/sync":        {company, said, shop},
		"/dashboard/sync/" + run: {product, said, shop},
		"/dashboard/connections": {shop},
		"/dashboard/shops":       {shop},
		"/embed/" + d.tenant:     {company, said, shop},
	} {
		p.opens(path)
		p.does("unfold", chromedp.Evaluate[chromedp.Void](`document.querySelectorAll("details").forEach(e => { e.open = true })`))
		p.sees(shown...)
		require.True(t, tells[bool](p, `window.ran === undefined && !document.querySelector("main img, main script, [onload], [onerror]")`), path)
	}
}

// signsInToFrame is signsIn in the frame of the shop's admin, which has a sign-in of its own.
func (p *person) signsInToFrame(d *desk) {
	p.t.Helper()
	p.opens("/embed/" + d.tenant)
	p.types("User", "admin")
	p.types("Password", adminPassword)
	p.presses("Sign in")
	p.sees("Sync runs")
}

func retryingMany(t *testing.T, b *browser) {
	d := newDesk(t).connect(t)
	base := d.serveProcess(t).base
	for range 3 {
		d.xero.Inject(refusal("the address is wrong"))
		d.raise(t, demo.Cart(), "failed")
	}
	p := b.person(t, base).signsIn("admin")
	p.presses("Runs")
	p.presses("Failed")
	p.presses("Retry …")
	p.sees("Of the runs with status Failed", "Nothing has been done yet.")
	require.Empty(t, d.xero.Invoices())
	p.presses("Retry 3 runs")
	p.sees("3 runs were retried.")
	p.presses("Back to the list")
	p.presses("Succeeded")
	p.waits("all are through", `document.querySelectorAll(".runs tbody tr").length === 3`)
	require.Len(t, d.xero.Invoices(), 3)
}

func following(t *testing.T, b *browser) {
	d := newDesk(t).connect(t)
	p := b.person(t, d.serveProcess(t).base).signsIn("admin")
	p.presses("Runs")
	p.sees("No runs yet")
	require.True(t, tells[bool](p, "window.here = true"))
	d.raise(t, demo.Cart(), "succeeded")
	p.sees("Succeeded", d.shop.Invoices()[0].IncrementID)
	p.presses("Stop updating this page")
	d.raise(t, demo.Cart(), "succeeded")
	second := d.shop.Invoices()[0].IncrementID
	p.seesNot(second)
	p.presses("Update this page again")
	p.sees(second)
	require.True(t, tells[bool](p, "window.here"), "it was not loaded anew")
}
