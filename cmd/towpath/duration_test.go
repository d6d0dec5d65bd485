package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func Test_Roughly_is_to_the_minute(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0:                               "less than a minute",
		29 * time.Second:                "less than a minute",
		42*time.Minute + 10*time.Second: "42 min",
		time.Hour - time.Second:         "1 h 0 min",
		5*time.Hour + 7*time.Minute:     "5 h 7 min",
		50*time.Hour + 59*time.Minute:   "2 d 2 h",
	} {
		require.Equal(t, want, roughly(d))
	}
}
