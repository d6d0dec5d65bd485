package canon

import (
	"errors"
	"fmt"
	"time"
)

// Customer is the shop's canonical customer, as GET
// /rest/V1/byte8/customer/{id} answers it: the buyer as he is now. Company and phone
// come from the last order where the profile has no address, so that a field which
// is absent here may be known from an invoice.
type Customer struct {
	Contact
	CreatedAt *time.Time
	UpdatedAt *time.Time
}

type wireCustomer struct {
	CreatedAt *timestamp `json:"created_at"`
	UpdatedAt *timestamp `json:"updated_at"`
}

func (w *wireCustomer) UnmarshalJSON(raw []byte) error { return decodeExact(raw, w) }

// DecodeCustomer reads a canonical customer. A guest has none.
func DecodeCustomer(raw []byte) (Customer, error) {
	var who wireContact
	if err := decode("customer", raw, &who); err != nil {
		return Customer{}, err
	}
	var times wireCustomer
	if err := decode("customer", raw, &times); err != nil {
		return Customer{}, err
	}
	c := Customer{Contact: who.contact(), CreatedAt: timeOf(times.CreatedAt), UpdatedAt: timeOf(times.UpdatedAt)}
	if c.MagentoID <= 0 {
		return Customer{}, fmt.Errorf("decode customer: %w", errors.New("magento_id is missing or not positive"))
	}
	return c, nil
}

func timeOf(t *timestamp) *time.Time {
	if t == nil || t.IsZero() {
		return nil
	}
	return &t.Time
}
