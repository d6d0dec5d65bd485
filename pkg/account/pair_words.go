package account

import (
	"errors"
	"fmt"
	"time"

	"towpath/pkg/magento"
	"towpath/pkg/provider"
	"towpath/pkg/shopjwt"
)

// clockWorth is how far clocks may differ before it is worth a word: a token's
// times may be off by shopjwt.Leeway.
const clockWorth = 15 * time.Second

// Warnings are what is wrong though the shop is paired, in whole sentences but for the
// last full stop.
func (done Paired) Warnings() []string {
	var warnings []string
	var failed *magento.PairFailure
	switch {
	case errors.As(done.Warning, &failed):
		warnings = append(warnings, failed.What+". "+failed.Do)
	case done.Warning != nil:
		f := provider.AsFailure(done.Warning)
		warnings = append(warnings, "the shop is paired, but did not answer our first call (/ping): "+f.Message)
	}
	if done.Clock != nil && done.Clock.Abs() >= clockWorth {
		warnings = append(warnings, fmt.Sprintf("the shop's clock is %s; from %s on neither side accepts the other's calls: set both clocks by NTP",
			ClockText(*done.Clock), shopjwt.Leeway))
	}
	return warnings
}
