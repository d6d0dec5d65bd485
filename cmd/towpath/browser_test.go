package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// browser is one Chromium for all tests of pages. Each person has a window in it that
// shares nothing with the others'.
type browser struct{ ctx context.Context }

// openBrowser starts Chromium, which ends with the test and reaches this machine only.
func openBrowser(t *testing.T) *browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if found, err := exec.LookPath(name); err == nil && path == "" {
			path = found
		}
	}
	if path == "" {
		t.Skip("NOT TESTED: no Chromium on PATH (Debian: apt-get install --no-install-recommends chromium)")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.NoSandbox, // root and containers have none; it opens our own pages only
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
		chromedp.WindowSize(1280, 900),
	)
	allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(end)
	ctx, shut := chromedp.NewContext(allocator)
	t.Cleanup(shut)
	require.NoError(t, chromedp.Do(ctx))
	return &browser{ctx: ctx}
}

// person is somebody before a window of the browser, who finds things by what is written
// on them.
type person struct {
	t    *testing.T
	ctx  context.Context
	base string
}

// patience is how long a person waits for anything.
const patience = 60 * time.Second

// person opens a window. What its pages complain of in the console fails the test: a
// script that breaks, or one that the content security policy refused.
func (b *browser) person(t *testing.T, base string) *person {
	t.Helper()
	ctx, shut := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	console := chromedp.Console(ctx)
	ended := make(chan []string)
	go func() {
		var complaints []string
		for m, err := range console {
			if err == nil && m.Source != "network" && (m.IsException() || m.Type == "error") {
				complaints = append(complaints, m.String())
			}
		}
		ended <- complaints
	}()
	t.Cleanup(func() {
		shut()
		require.Empty(t, <-ended, "said in the console")
	})
	require.NoError(t, chromedp.Do(ctx))
	return &person{t: t, ctx: ctx, base: base}
}

// does acts on the page.
func (p *person) does(what string, act chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, act); err != nil {
		require.NoError(p.t, err, "%s; the page is %s:\n%s", what, p.at(), p.text())
	}
}

// opens goes to an address of the pages, or elsewhere by a whole one.
func (p *person) opens(path string) {
	p.t.Helper()
	if path[0] == '/' {
		path = p.base + path
	}
	p.does("open "+path, chromedp.Navigate(path))
}

// pressable finds what can be pressed by its words, or by how they begin.
const pressable = `(words => {
	const all = [...document.querySelectorAll("button, a, summary")].filter(e => e.checkVisibility());
	return all.find(e => e.innerText.trim() === words) ?? all.find(e => e.innerText.trim().startsWith(words));
})(%s)`

// input finds an input by its label.
const input = `[...document.querySelectorAll("label")].find(e => e.innerText.trim().startsWith(%s))?.control`

// presses clicks with the mouse.
func (p *person) presses(words string) {
	p.t.Helper()
	p.does("press "+words, chromedp.Click(chromedp.JSPath(fmt.Sprintf(pressable, literal(words)))))
}

// types replaces what is in an input, key by key.
func (p *person) types(label, text string) {
	p.t.Helper()
	at := chromedp.JSPath(fmt.Sprintf(input, literal(label)))
	p.does("type into "+label, chromedp.Steps(chromedp.Clear(at), chromedp.SendKeys(at, text)))
}

// sees waits until all of this stands on the page.
func (p *person) sees(texts ...string) {
	p.t.Helper()
	for _, text := range texts {
		p.waits("the page says "+text, fmt.Sprintf("document.body.innerText.includes(%s)", literal(text)))
	}
}

// waits until an expression holds on whatever page is there by then, whole.
func (p *person) waits(what, expression string) {
	p.t.Helper()
	deadline := time.Now().Add(patience)
	for ask := time.NewTicker(50 * time.Millisecond); ; <-ask.C {
		if holds, err := evaluate[bool](p, `document.readyState === "complete" && `+expression); err == nil && holds {
			ask.Stop()
			return
		}
		if time.Now().After(deadline) {
			require.Fail(p.t, "it does not come", "%s; the page is %s:\n%s", what, p.at(), p.text())
		}
	}
}

// seesNot is of a page that is there already.
func (p *person) seesNot(text string) {
	p.t.Helper()
	require.NotContains(p.t, p.text(), text)
}

// tells is what an expression is on the page.
func tells[T any](p *person, expression string) T {
	p.t.Helper()
	value, err := evaluate[T](p, expression)
	require.NoError(p.t, err, expression)
	return value
}

func evaluate[T any](p *person, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// text is what a person can read.
func (p *person) text() string {
	text, _ := evaluate[string](p, "document.body.innerText")
	return text
}

// at is the address of the page.
func (p *person) at() string {
	at, _ := evaluate[string](p, "location.href")
	return at
}

// signsIn by the form, with the password that all have here.
func (p *person) signsIn(name string) *person {
	p.t.Helper()
	p.opens("/dashboard")
	p.types("User", name)
	p.types("Password", adminPassword)
	p.presses("Sign in")
	p.sees("Overview")
	return p
}

// literal is a text for a script.
func literal(text string) string {
	raw, err := json.Marshal(text)
	if err != nil {
		panic(err) // no text is none
	}
	return string(raw)
}
