package xero_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	"github.com/stretchr/testify/require"

	"towpath/pkg/provider/xero"
)

// specification is Xero's published OpenAPI document as a judge of requests, in
// strict mode: fields and parameters that it does not know are errors.
type specification struct {
	mu       sync.Mutex
	validate validator.Validator
}

// publishedSpec builds the judge once, since that takes seconds. Under the race detector
// there is none, and accepts asks nobody.
func publishedSpec(t *testing.T) *specification {
	t.Helper()
	if xero.UnderRace {
		return nil
	}
	spec, err := builtSpec()
	require.NoError(t, err)
	return spec
}

var builtSpec = sync.OnceValues(func() (*specification, error) {
	file, err := os.Open("testdata/xero_accounting.yaml.gz")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	unpacked, err := gzip.NewReader(file)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(unpacked)
	if err != nil {
		return nil, err
	}
	document, err := libopenapi.NewDocument(text)
	if err != nil {
		return nil, err
	}
	judge, errs := validator.NewValidator(document, config.WithoutSecurityValidation(), config.WithStrictMode(), config.WithFormatAssertions())
	if len(errs) > 0 {
		return nil, fmt.Errorf("build validator: %v", errs)
	}
	return &specification{validate: judge}, nil
})

func (s *specification) judge(t *testing.T, method, path string, body []byte) []string {
	t.Helper()
	req, err := http.NewRequest(method, "https://api.xero.com/api.xro/2.0"+path, bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("xero-tenant-id", testOrg)
	if method != http.MethodGet {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", strings.Repeat("k", 64))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, errs := s.validate.ValidateHttpRequestSync(req)
	var complaints []string
	for _, e := range errs {
		complaints = append(complaints, e.Message+": "+e.Reason)
		for _, detail := range e.SchemaValidationErrors {
			complaints = append(complaints, detail.Reason)
		}
	}
	return complaints
}

func (s *specification) accepts(t *testing.T, method, path string, body []byte) {
	t.Helper()
	if s == nil {
		return
	}
	require.Empty(t, s.judge(t, method, path, body), string(body))
}

// The judge is worth something only if it refuses.
func Test_Published_spec_refuses_misspelt_fields_and_wrong_types(t *testing.T) {
	t.Parallel()
	spec := publishedSpec(t)
	if spec == nil {
		t.Skip("asked without the race detector, by .ci/run spec")
	}
	for name, body := range map[string]string{
		"misspelt field":     `{"Invoices":[{"Type":"ACCREC","InvoiceNo":"1"}]}`,
		"quantity as string": `{"Invoices":[{"Type":"ACCREC","LineItems":[{"Quantity":"2"}]}]}`,
		"unknown status":     `{"Invoices":[{"Type":"ACCREC","Status":"APPROVED"}]}`,
		"contact id no guid": `{"Invoices":[{"Type":"ACCREC","Contact":{"ContactID":"42"}}]}`,
	} {
		require.NotEmpty(t, spec.judge(t, "PUT", "/Invoices?summarizeErrors=false&unitdp=4", []byte(body)), name)
	}
	require.NotEmpty(t, spec.judge(t, "PUT", "/Invoices?summariseErrors=false", []byte(`{"Invoices":[]}`)), "misspelt parameter")
}
