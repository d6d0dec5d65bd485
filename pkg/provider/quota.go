package provider

import "context"

// Permit asks leave for one call to a provider, before it is made. Where there
// is none it answers a RateLimited Failure with ReasonBudget: nothing was sent.
// Else done must be called once the call has ended, however it did.
type Permit func(ctx context.Context) (done func(Quota), err error)

// ReasonBudget marks a RateLimited Failure that is ours: the call was not made,
// since the binding's budget has none left at the moment.
const ReasonBudget = "budget"

// Quota is what an answer said of the calls that are left; nil where it did not
// say, or there was no answer.
type Quota struct {
	Minute *int
	Day    *int
}

// Unlimited is the permit of a client that nobody counts.
func Unlimited(context.Context) (func(Quota), error) { return func(Quota) {}, nil }
