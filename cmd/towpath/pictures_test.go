package main

import (
	"bytes"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

var pictures = flag.String("pictures", "", "a folder to put pictures of the demo's pages into, for the README")

// The pictures of the README are made by: go test ./cmd/towpath -run Test_Pictures_of_the_demo -pictures "$PWD/docs/images"
func Test_Pictures_of_the_demo(t *testing.T) {
	if *pictures == "" {
		t.Skip("only with -pictures")
	}
	_, _, page := demoProcess(t)
	p := openBrowser(t).person(t, "")
	p.does("size", chromedp.EmulateViewport(1280, 820))
	p.prefers("light")
	p.opens(page)
	for n, kind := range []string{"Submit Invoice", "Submit Invoice", "A free order", "Submit Invoice", "Xero refuses the data", "An order in Swiss francs", "Xero's answer is lost"} {
		if n > 0 && kind != "Submit Invoice" {
			p.presses("▾")
		}
		p.presses(kind)
		p.waits("it settles", fmt.Sprintf(settled, n+1))
	}
	p.photographs("demo")
	p.presses("Towpath's dashboard")
	p.waits("the runs", `document.querySelector("h1").innerText === "Sync runs"`)
	p.photographs("runs")
	p.presses("Failed")
	p.waits("the failed", `location.search.includes("failed")`)
	p.presses("Invoice ")
	p.sees("Mend what it says")
	p.photographs("failed")
}

// settled: so many invoices are there, and the last is through or held.
const settled = `document.querySelectorAll("[data-invoice]").length === %d &&
	(!document.querySelector(".journey .chip.pending") || [...document.querySelectorAll(".journey .what")].some(e => e.innerText === "Held"))`

// photographs what the window shows.
func (p *person) photographs(name string) {
	p.t.Helper()
	p.waits("it is painted", "document.fonts.ready.then(() => true)")
	raw, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	require.NoError(p.t, err)
	picture, err := png.Decode(bytes.NewReader(raw))
	require.NoError(p.t, err)
	var small bytes.Buffer
	require.NoError(p.t, (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&small, inFewColours(picture)))
	require.NoError(p.t, os.WriteFile(filepath.Join(*pictures, name+".png"), small.Bytes(), 0o644))
}

// inFewColours makes a picture small: its 256 most frequent colours are all that a page
// has, but for the edges of letters.
func inFewColours(picture image.Image) image.Image {
	area, often := picture.Bounds(), map[color.Color]int{}
	for at := range area.Dx() * area.Dy() {
		often[picture.At(at%area.Dx(), at/area.Dx())]++
	}
	colours := slices.SortedFunc(maps.Keys(often), func(a, b color.Color) int { return often[b] - often[a] })
	few := image.NewPaletted(area, colours[:min(len(colours), 256)])
	draw.Draw(few, area, picture, area.Min, draw.Src)
	return few
}
