package dashboard

import "time"

// AddressesAfter is how many addresses a limiter keeps after wrong passwords
// from as many.
func AddressesAfter(keys []string) int {
	now := time.Unix(0, 0)
	l := newLimiter(func() time.Time { now = now.Add(time.Minute); return now })
	for _, key := range keys {
		l.guess(key, false, func() bool { return false })
	}
	if len(l.byKey) != l.ages.Len() {
		return -1
	}
	return len(l.byKey)
}
