package policy

// The codes of a FieldError: a closed list, for machines.
const (
	UnknownField   = "unknown_field"
	InvalidFormat  = "invalid_format"
	OutOfRange     = "out_of_range"
	NotInReference = "not_in_reference"
)

// FieldError is one reason why settings were not saved.
type FieldError struct {
	Field   string `json:"field"` // b2c_consolidation.enabled, tax_rate_map.20, tracking.0.name
	Code    string `json:"code"`
	Message string `json:"message"` // what to write instead
}

func (e FieldError) Error() string { return e.Field + ": " + e.Message + " (" + e.Code + ")" }
