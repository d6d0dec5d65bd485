// Package specs is the list of the providers: one line each.
package specs

import (
	"towpath/pkg/provider"
	"towpath/pkg/provider/freeagent"
	"towpath/pkg/provider/xero"
)

// All are the providers that a binding may be of.
func All() []provider.Spec {
	return []provider.Spec{
		xero.Spec(freeagent.Wire()),
		freeagent.Spec(),
	}
}

// Names are what they are called on the command line and in the tables.
func Names() []string {
	var names []string
	for _, s := range All() {
		names = append(names, s.Name)
	}
	return names
}

// Of is the provider of that name; false where there is none.
func Of(name string) (provider.Spec, bool) {
	for _, s := range All() {
		if s.Name == name {
			return s, true
		}
	}
	return provider.Spec{}, false
}

// Wire is how a binding speaks to its provider. The database stores no binding of
// what is not listed.
func Wire(name, wire string) provider.Wire {
	s, _ := Of(name)
	w, _ := s.Wire(wire)
	return w
}

// Title is a provider's name for people.
func Title(name string) string {
	if s, known := Of(name); known {
		return s.Title
	}
	return name
}
