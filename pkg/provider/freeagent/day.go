package freeagent

import (
	"time"

	"towpath/pkg/provider"
)

// Day is the calendar day of at where the organisation is.
func (c *Client) Day(at time.Time, ref provider.Reference) string {
	return day(at, ref.Organisation.Timezone)
}
