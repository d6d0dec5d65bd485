package provider

// Limits are what a provider allows one organisation, over everybody who calls it.
// Zero of PerHour: it has no such limit.
type Limits struct {
	PerMinute int `json:"per_minute"`
	PerHour   int `json:"per_hour,omitempty"`
	AtOnce    int `json:"at_once"` // calls under way at the same time
	// Clock says that minute and hour are those of the provider's clock, and begin
	// when it strikes. Else they may begin at any time.
	Clock bool `json:"clock,omitempty"`
}
