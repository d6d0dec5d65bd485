package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"towpath/pkg/demo"
)

// axe-core finds what keeps people from using a page, as far as a program can. It is
// used by this test only.
const (
	axeVersion = "4.14.1"
	axeSum     = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
)

// axe is its script: out of the cache, or fetched by npm. A package that is not the known
// one is refused.
func axe(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	dir := filepath.Join(cache, "towpath-tests")
	path := filepath.Join(dir, "axe-core-"+axeVersion+".tgz")
	raw, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		require.NoError(t, os.MkdirAll(dir, 0o700))
		if said, err := exec.Command("npm", "pack", "--silent", "--pack-destination", dir, "axe-core@"+axeVersion).CombinedOutput(); err != nil {
			t.Skipf("NOT TESTED: no axe-core, and npm does not fetch it (Debian: apt-get install npm): %v %s", err, said)
		}
		raw, err = os.ReadFile(path)
	}
	require.NoError(t, err)
	sum := sha512.Sum512(raw)
	require.Equal(t, axeSum, base64.StdEncoding.EncodeToString(sum[:]), path)
	return entry(t, raw, "package/axe.min.js")
}

// entry is a file of a .tgz.
func entry(t *testing.T, raw []byte, name string) string {
	t.Helper()
	unzipped, err := gzip.NewReader(bytes.NewReader(raw))
	require.NoError(t, err)
	for archive := tar.NewReader(unzipped); ; {
		header, err := archive.Next()
		require.NoError(t, err, name)
		if header.Name == name {
			text, err := io.ReadAll(archive)
			require.NoError(t, err)
			return string(text)
		}
	}
}

// judge is what is wrong with a page, of which the colours alone are looked at in the dark.
const judge = `axe.run({runOnly: %s, resultTypes: ["violations"]}).then(found => found.violations.map(v =>
	v.id + ": " + v.nodes.slice(0, 3).map(n => n.target.join(" ") + " " + (n.any[0]?.message ?? n.failureSummary)).join("; ")))`

// usable asserts that a page has no violation of WCAG 2.2 AA that axe-core finds, in light
// and in dark, and is not wider than a small telephone or a page magnified four times.
func (p *person) usable(what, script string) {
	p.t.Helper()
	p.does("load axe", chromedp.Evaluate[chromedp.Void](script))
	for scheme, rules := range map[string]string{
		"light": `["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]`,
		"dark":  `["color-contrast", "link-in-text-block"]`,
	} {
		p.prefers(scheme)
		for _, found := range tells[[]string](p, fmt.Sprintf(judge, rules)) {
			p.t.Errorf("%s, %s: %s", what, scheme, found)
		}
	}
	p.does("narrow", chromedp.EmulateViewport(320, 800))
	if wide := tells[int](p, "document.documentElement.scrollWidth"); wide > 320 {
		p.t.Errorf("%s: %d pixels wide on a screen of 320: %s", what, wide, tells[string](p, widest))
	}
	p.does("widen", chromedp.EmulateViewport(1280, 900))
}

// widest names what is beyond the right edge.
const widest = `[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > 321).slice(0, 5).map(e => e.tagName + "." + e.className + " " + e.innerText?.slice(0, 30)).join("; ")`

// prefers sets the colour scheme of the person's system.
func (p *person) prefers(scheme string) {
	p.t.Helper()
	p.does(scheme, func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		return chromedp.Void{}, err
	})
}

// One page of each kind is found by its links; those that answer a form by filling it in.
func everyPage(t *testing.T, b *browser) {
	script := axe(t)
	d := newDesk(t).connect(t)
	base := d.serveProcess(t).base
	d.adds(t, "vera", "viewer")
	d.raise(t, demo.Cart(), "succeeded")
	d.raise(t, unmappedCart(), "held")
	d.xero.Inject(refusal("Email address must be valid."))
	d.raise(t, demo.Cart(), "failed")
	d.must(t, "binding", "policy", "set", d.binding, "--file", file(t, "policy.json", strings.Replace(goodPolicy, "false", "true", 1)))

	p := b.person(t, base)
	for _, path := range []string{"/dashboard", "/embed/" + d.tenant} {
		p.opens(path)
		p.usable("sign-in at "+path, script)
	}
	p.signsIn("admin").signsInToFrame(d)
	seen := map[string]bool{}
	id := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}|versions/\d+`)
	for queue := []string{"/dashboard", "/embed/" + d.tenant, "/dashboard/nothing"}; len(queue) > 0; queue = queue[1:] {
		path, _, _ := strings.Cut(queue[0], "?")
		kind := id.ReplaceAllString(path, ":id")
		if seen[kind] || strings.HasPrefix(path, "/dashboard/queue") {
			continue
		}
		seen[kind] = true
		p.opens(queue[0])
		p.usable(kind, script)
		queue = append(queue, tells[[]string](p, `[...document.links].filter(a => a.origin === location.origin).map(a => a.pathname + a.search)`)...)
	}
	require.GreaterOrEqual(t, len(seen), 20, "%v", seen)
	for _, kind := range []string{"/dashboard/sync/:id", "/dashboard/bindings/:id/settings", "/dashboard/bindings/:id/disconnect", "/dashboard/users/vera", "/dashboard/pair"} {
		require.True(t, seen[kind], "%s: %v", kind, seen)
	}
	p.answersOfForms(d, script)
}

// answersOfForms are the pages that no link leads to.
func (p *person) answersOfForms(d *desk, script string) {
	p.opens("/dashboard/sync?status=failed")
	p.presses("Retry …")
	p.sees("Nothing has been done yet.")
	p.usable("preview of many", script)
	p.opens("/dashboard/pair")
	p.presses("Pair")
	p.sees("Not paired")
	p.usable("refused pairing", script)
	p.settings(d)
	p.types("Largest rounding line", "a lot")
	p.presses("See what this changes")
	p.sees("Nothing was saved")
	p.usable("refused setting", script)
	p.types("Largest rounding line", "0.10")
	p.presses("See what this changes")
	p.sees("Nothing is saved yet")
	p.presses("Try on stored documents")
	p.sees("On stored documents")
	p.usable("changed setting", script)
}
