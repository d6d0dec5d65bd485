package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// DiskFigure is how fast the disk of the data makes a written page last: the
// limit of one commit after another.
type DiskFigure struct {
	PerSecond float64 `json:"fdatasync_per_second"`
	MedianMS  float64 `json:"fdatasync_median_ms"`
}

// probeDisk writes one page of 8 KiB again and again for as long as told, each
// time until it lasts.
func probeDisk(ctx context.Context, folder string, length time.Duration) (DiskFigure, error) {
	path := filepath.Join(folder, "fdatasync.probe")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return DiskFigure{}, fmt.Errorf("probe disk: %w", err)
	}
	defer os.Remove(path)
	defer file.Close()
	var took []time.Duration
	page := make([]byte, 8<<10)
	began := time.Now()
	for time.Since(began) < length && ctx.Err() == nil {
		page[0]++
		start := time.Now()
		if _, err := file.WriteAt(page, 0); err != nil {
			return DiskFigure{}, fmt.Errorf("probe disk: %w", err)
		}
		if err := syncData(file); err != nil {
			return DiskFigure{}, fmt.Errorf("probe disk: %w", err)
		}
		took = append(took, time.Since(start))
	}
	return DiskFigure{PerSecond: float64(len(took)) / time.Since(began).Seconds(), MedianMS: quantile(took, 0.5)}, ctx.Err()
}
