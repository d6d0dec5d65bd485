package freeagent

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"

	"towpath/pkg/provider"
)

// Spec is what is known of FreeAgent beforehand.
func Spec() provider.Spec {
	own := Wire()
	own.APIURL = "https://api.freeagent.com"
	own.TwinContacts = true
	return provider.Spec{
		Name: "freeagent", Title: "FreeAgent", Wires: []provider.Wire{own},
		PairPath: "/freeagent_accounting/setup/pair",
		OAuth:    provider.OAuth{SecretForConsent: true, Endpoints: endpoints, Organisations: organisations},
	}
}

// Wire is wire v2 at whoever speaks it: 120 calls a minute and 3,600 an hour, by the
// clock. It says nothing of calls at once: as many as at Xero.
func Wire() provider.Wire {
	return provider.Wire{
		Name: provider.WireV2, Title: "Wire v2", Limits: provider.Limits{PerMinute: 120, PerHour: 3600, AtOnce: 5, Clock: true}, Batch: 1,
		MayDuplicate: true,
		Operations: []string{opInvoiceCreate, opInvoiceList, opInvoiceSend, opInvoiceRead, opCreditCreate, opCreditList, opCreditSend, opCreditRead,
			opPaymentCreate, opPaymentList, opAllocCreate, opAllocList, opContactUpdate, opContactCreate, opContactList,
			opCompany, opCategories, opBankAccounts},
	}
}

// endpoints are at the address of the API.
func endpoints(api *url.URL, _ string) provider.Endpoints {
	root := strings.TrimRight(api.String(), "/")
	if strings.Trim(api.Path, "/") == "" {
		root += "/v2"
	}
	return provider.Endpoints{Authorize: root + "/approve_app", Token: root + "/token_endpoint", Organisations: root + "/company"}
}

// organisations is the one company of a token.
func organisations(body []byte) ([]provider.Reached, error) {
	var answer struct {
		Company struct {
			ID   json.Number `json:"id"`
			Name string      `json:"name"`
		} `json:"company"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Company.ID == "" {
		return nil, errors.New("its company could not be read")
	}
	return []provider.Reached{{ID: answer.Company.ID.String(), Name: answer.Company.Name}}, nil
}
