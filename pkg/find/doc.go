// Package find finds runs by what people know of them: the numbers of the invoice and
// its order, the buyer's name or e-mail, the amount, the number at the provider, or the
// run's id. What a run is known by is written with T2 (Of says what that is); the runs of
// before are added by Fill.
package find
