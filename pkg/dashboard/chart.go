package dashboard

import (
	"fmt"
	"strings"
	"time"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/syncrun"
)

// A chart is drawn by its template as SVG: bars of the hours, each divided by outcome.
// Its size is in units of its own; the page scales it.
const (
	chartHours  = 24
	chartWidth  = 480
	chartHeight = 170
	chartLeft   = 44 // of the bars: the scale stands there
	chartTop    = 12
	chartBottom = 140
)

type chart struct {
	Width, Height int
	Bars          []bar
	Lines         []gridLine
	Legend        []string // the statuses that it shows
	Summary       string   // for who cannot see it
}

// bar is an hour.
type bar struct {
	Label  string // of the hour, at every third
	Hour   time.Time
	X, Mid int
	Parts  []barPart
	Runs   int64
	Words  string
}

type barPart struct {
	Status     string
	X, Y, W, H float64
	Runs       int64
}

type gridLine struct {
	Y    float64
	Runs string
}

// chartOf draws the last day.
func chartOf(now time.Time, hours []dbsqlc.DashboardHourListRow) chart {
	first := now.UTC().Truncate(time.Hour).Add(-(chartHours - 1) * time.Hour)
	var runs [chartHours]map[string]int64
	for i := range runs {
		runs[i] = map[string]int64{}
	}
	shown := map[string]bool{}
	for _, h := range hours {
		if i := int(h.Hour.Sub(first) / time.Hour); i >= 0 && i < chartHours {
			runs[i][h.Status] += h.Runs
			shown[h.Status] = true
		}
	}
	c := chart{Width: chartWidth, Height: chartHeight}
	for _, status := range syncrun.Statuses() {
		if shown[status] {
			c.Legend = append(c.Legend, status)
		}
	}
	top, total, busiest := int64(0), int64(0), 0
	for i, of := range runs {
		n := sum(of)
		if total += n; n > top {
			top, busiest = n, i
		}
	}
	scale := roundUp(top)
	for _, at := range []int64{scale, scale / 2} {
		if at > 0 {
			c.Lines = append(c.Lines, gridLine{chartBottom - height(at, scale), grouped(at)})
		}
	}
	for i, of := range runs {
		c.Bars = append(c.Bars, barOf(i, first.Add(time.Duration(i)*time.Hour), of, scale))
	}
	c.Summary = "No run arrived in the last 24 hours."
	if total > 0 {
		c.Summary = fmt.Sprintf("%s runs arrived in the last 24 hours, most of them (%s) in the hour from %s UTC.",
			grouped(total), grouped(top), first.Add(time.Duration(busiest)*time.Hour).Format("15:04"))
	}
	return c
}

func barOf(i int, hour time.Time, of map[string]int64, scale int64) bar {
	step := float64(chartWidth-chartLeft) / chartHours
	b := bar{Hour: hour, X: int(chartLeft + float64(i)*step), Mid: int(chartLeft + (float64(i)+.5)*step), Runs: sum(of)}
	if hour.Hour()%3 == 0 {
		b.Label = hour.Format("15")
	}
	y := float64(chartBottom)
	said := []string{}
	for _, status := range syncrun.Statuses() {
		n := of[status]
		if n == 0 {
			continue
		}
		h := height(n, scale)
		y -= h
		b.Parts = append(b.Parts, barPart{Status: status, X: chartLeft + float64(i)*step + 1.5, Y: y, W: step - 3, H: h, Runs: n})
		said = append(said, grouped(n)+" "+strings.ToLower(statusName(status)))
	}
	if b.Words = hour.Format("15:04") + " UTC: none"; len(said) > 0 {
		b.Words = hour.Format("15:04") + " UTC: " + strings.Join(said, ", ")
	}
	return b
}

func height(runs, scale int64) float64 {
	if scale == 0 {
		return 0
	}
	return float64(runs) / float64(scale) * (chartBottom - chartTop)
}

func sum(of map[string]int64) int64 {
	n := int64(0)
	for _, runs := range of {
		n += runs
	}
	return n
}

// roundUp is the next even number with one digit that counts, so that the scale is a
// round one and half of it a whole.
func roundUp(n int64) int64 {
	if n == 0 {
		return 0
	}
	unit := int64(1)
	for n > 10*unit {
		unit *= 10
	}
	up := (n + unit - 1) / unit * unit
	if unit == 1 && up%2 == 1 {
		up++
	}
	return up
}
