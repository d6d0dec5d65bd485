package riverjobs

import (
	"math/rand/v2"
	"time"

	"github.com/riverqueue/river/rivertype"
)

// retryPolicy waits about 1 s, 2 s, 4 s, ... and from the 13th attempt on an
// hour, each with 10 % of jitter. maxAttempts of them are about seven days.
type retryPolicy struct {
	now   func() time.Time
	first time.Duration
}

const longestDelay = time.Hour

// NextRetry is River's hook.
func (p retryPolicy) NextRetry(job *rivertype.JobRow) time.Time {
	return p.now().Add(jittered(delay(p.first, job.Attempt)))
}

func delay(first time.Duration, attempt int) time.Duration {
	d := first
	for n := 1; n < attempt && d < longestDelay; n++ {
		d *= 2
	}
	return min(d, longestDelay)
}

func jittered(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.9 + 0.2*rand.Float64()))
}
