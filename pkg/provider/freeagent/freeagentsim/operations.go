package freeagentsim

import "net/http"

// request is a call that has passed the checks of every request.
type request struct {
	*http.Request
	base, id string
	body     []byte
}

// operation does what a request asks for; params are the query's that it knows.
type operation struct {
	do     func(*Server, request) reply
	params []string
}

func operations() map[string]operation {
	paged := []string{"page", "per_page"}
	documentFilters := append([]string{"view", "sort", "contact", "from_date", "to_date"}, paged...)
	all := map[string]operation{
		ContactCreate: {do: func(s *Server, r request) reply { return s.createContact(r.base, r.body) }},
		ContactUpdate: {do: func(s *Server, r request) reply { return s.updateContact(r.base, r.id, r.body) }},
		ContactList: {do: func(s *Server, r request) reply { return s.listContacts(r.base, r.Request) },
			params: append([]string{"view", "sort", "email"}, paged...)},
		ContactGet: {do: func(s *Server, r request) reply { return s.getContact(r.base, r.id) }},

		ExplanationCreate: {do: func(s *Server, r request) reply { return s.createExplanation(r.base, r.body) }},
		ExplanationList: {do: func(s *Server, r request) reply { return s.listExplanations(r.base, r.Request) },
			params: append([]string{"bank_account", "from_date", "to_date"}, paged...)},
		ExplanationGet:       {do: func(s *Server, r request) reply { return s.getExplanation(r.base, r.id) }},
		ReconciliationCreate: {do: func(s *Server, r request) reply { return s.createReconciliation(r.base, r.body) }},
		ReconciliationList: {do: func(s *Server, r request) reply { return s.listReconciliations(r.base, r.Request) },
			params: append([]string{"from_date", "to_date"}, paged...)},
		ReconciliationGet: {do: func(s *Server, r request) reply { return s.getReconciliation(r.base, r.id) }},

		Company:    {do: func(s *Server, r request) reply { return ok(map[string]any{"company": s.company(r.base)}) }},
		Categories: {do: func(_ *Server, r request) reply { return ok(categories(r.base)) }},
		BankAccounts: {do: func(_ *Server, r request) reply { return page(r.Request, "bank_accounts", bankAccounts(r.base)) },
			params: paged},
	}
	for _, k := range []kind{invoices, creditNotes} {
		path := " /" + k.plural
		all["POST"+path] = operation{do: func(s *Server, r request) reply { return s.createDocument(k, r.base, r.body) }}
		all["GET"+path] = operation{do: func(s *Server, r request) reply { return s.listDocuments(k, r.base, r.Request) },
			params: append([]string{"nested_" + k.items()}, documentFilters...)}
		all["GET"+path+"/:id"] = operation{do: func(s *Server, r request) reply { return s.getDocument(k, r.base, r.id) }}
		all["PUT"+path+"/:id/transitions/mark_as_sent"] = operation{do: func(s *Server, r request) reply { return s.moveDocument(k, r.base, r.id, false) }}
		all["PUT"+path+"/:id/transitions/mark_as_draft"] = operation{do: func(s *Server, r request) reply { return s.moveDocument(k, r.base, r.id, true) }}
	}
	return all
}
