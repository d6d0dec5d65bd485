package ingress

import (
	"bytes"
	"sync"

	"github.com/google/uuid"

	"towpath/pkg/secret"
	"towpath/pkg/shopjwt"
)

// keys are the subkeys derived from the tenants' sealed keys. An entry serves for
// as long as the database holds the very same sealed bytes, so a rotated key is
// never verified with the one before; what is saved is opening and deriving.
//
// A tenant that does not exist has a decoy's key and an entry too: for it the same
// work is done as for one that does, the first time and after, so that the time to
// refuse tells nothing.
type keys struct {
	box   *secret.Box
	decoy []byte

	mu sync.Mutex
	// Two generations bound the memory: when the young one is full it becomes the
	// old one, and what is used out of the old one is young again.
	young, old map[uuid.UUID]derived
}

type derived struct {
	sealed   []byte
	verifier *shopjwt.Verifier
}

// keysKept is the most of a generation; an entry has some 300 bytes.
const keysKept = 4096

func newKeys(box *secret.Box) *keys {
	return &keys{
		box: box, young: map[uuid.UUID]derived{},
		decoy: box.Seal([]byte(shopjwt.NewAPIKey()), secret.Place(secret.TenantAPIKey, uuid.Nil.String())),
	}
}

// verifier is that of a tenant; sealed is nil for one that does not exist.
func (k *keys) verifier(tenant uuid.UUID, sealed []byte) (*shopjwt.Verifier, error) {
	owner := tenant
	if sealed == nil {
		sealed, owner = k.decoy, uuid.Nil
	}
	if kept, ok := k.kept(tenant); ok && bytes.Equal(kept.sealed, sealed) {
		return kept.verifier, nil
	}
	verifier, err := k.derive(tenant, owner, sealed)
	if err != nil {
		return nil, err
	}
	k.keep(tenant, derived{sealed, verifier})
	return verifier, nil
}

// derive opens a key that is sealed for its owner and keeps nothing.
func (k *keys) derive(tenant, owner uuid.UUID, sealed []byte) (*shopjwt.Verifier, error) {
	apiKey, err := k.box.Open(sealed, secret.Place(secret.TenantAPIKey, owner.String()))
	if err != nil {
		return nil, err
	}
	return shopjwt.NewVerifier(string(apiKey), tenant.String())
}

func (k *keys) kept(tenant uuid.UUID) (derived, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if found, ok := k.young[tenant]; ok {
		return found, true
	}
	found, ok := k.old[tenant]
	if ok {
		k.add(tenant, found)
	}
	return found, ok
}

func (k *keys) keep(tenant uuid.UUID, d derived) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.add(tenant, d)
}

func (k *keys) add(tenant uuid.UUID, d derived) {
	if len(k.young) >= keysKept {
		k.young, k.old = map[uuid.UUID]derived{}, k.young
	}
	k.young[tenant] = d
}
