package quota

import "time"

// Age lets so much time pass for the leases of some work, by its process's clock.
func Age(c *Calls, d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range c.leases {
		h.asked, h.until = h.asked.Add(-d), h.until.Add(-d)
	}
}
