package riverjobs

import (
	"math/rand/v2"
	"time"

	"github.com/riverqueue/river/rivertype"
)

// retryPolicy waits about 1 s, 2 s, 4 s, ... and from the 13th attempt on an
// hour, each with 10 % of jitter. maxAttempts of them are about seven days.
type retryPolicy struct{ now func() time.Time }

const longestDelay = time.Hour

// NextRetry is River's hook.
func (p retryPolicy) NextRetry(job *rivertype.JobRow) time.Time {
	return p.now().Add(jittered(delay(job.Attempt)))
}

func delay(attempt int) time.Duration {
	if attempt < 1 {
		attempt = 1
	}
	if attempt > 12 {
		return longestDelay
	}
	return min(time.Second<<(attempt-1), longestDelay)
}

func jittered(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.9 + 0.2*rand.Float64()))
}
