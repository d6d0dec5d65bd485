package xerosim

import "slices"

// Choose sets the organisations that the person gives access to at the next
// consents.
func (i *Identity) Choose(orgs ...string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.choice = orgs
}

// Deny makes the person say no at the next consents, or yes again.
func (i *Identity) Deny(no bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.denies = no
}

// Disconnect ends what an app was given, as the person may do in Xero.
func (i *Identity) Disconnect(app string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.endConsent(app)
}

// ExpireAccess makes every access token dead before its time.
func (i *Identity) ExpireAccess() {
	i.mu.Lock()
	defer i.mu.Unlock()
	clear(i.accesses)
}

// SetSecret gives an app another secret.
func (i *Identity) SetSecret(app, secret string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for n := range i.cfg.Apps {
		if i.cfg.Apps[n].ID == app {
			i.cfg.Apps[n].Secret = secret
		}
	}
}

// Lives reports whether an access token works now.
func (i *Identity) Lives(access string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	held := i.accesses[access]
	return held != nil && i.cfg.Now().Before(held.expires)
}

// Calls counts what was asked for and carried out, by "POST /connect/token".
func (i *Identity) Calls(operation string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.calls[operation]
}

// Issued is every code and token that was ever given away.
func (i *Identity) Issued() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.issued)
}

// Inject adds faults, as Sim's does; Operation is "POST /connect/token".
func (i *Identity) Inject(faults ...Fault) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, f := range faults {
		f.Times = max(f.Times, 1)
		i.faults = append(i.faults, &f)
	}
}

// Waiting is how many faults have yet to strike.
func (i *Identity) Waiting() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.faults)
}

func (i *Identity) strike(operation string, when When) *Fault {
	i.mu.Lock()
	defer i.mu.Unlock()
	for n, f := range i.faults {
		if f.When != when || f.Operation != "" && f.Operation != operation {
			continue
		}
		f.Times--
		if f.Times == 0 {
			i.faults = slices.Delete(i.faults, n, n+1)
		}
		return f
	}
	return nil
}
