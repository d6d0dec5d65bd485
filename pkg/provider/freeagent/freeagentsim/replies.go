package freeagentsim

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// reply is an answer before it is written; a zero status is none.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (a reply) write(w http.ResponseWriter) {
	for key, values := range a.header {
		w.Header()[key] = values
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the client may be gone
}

func ok(v any) reply { return failure(http.StatusOK, v) }

func created(url string, v any) reply {
	answer := failure(http.StatusCreated, v)
	answer.header.Set("Location", url)
	return answer
}

func failure(status int, v any) reply {
	body, err := json.Marshal(v)
	if err != nil {
		return text(http.StatusInternalServerError, "Internal Server Error")
	}
	return reply{status: status, header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}, body: body}
}

func text(status int, body string) reply {
	return reply{status: status, header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, body: []byte(body)}
}

// errorsOf is the usual form: a list of messages.
func errorsOf(status int, messages ...string) reply {
	list := []map[string]string{}
	for _, m := range messages {
		list = append(list, map[string]string{"message": m})
	}
	return failure(status, map[string]any{"errors": list})
}

// wrapped is the form of 401, 403 and 404.
func wrapped(message string) map[string]any {
	return map[string]any{"error": map[string]string{"message": message}}
}

func notFound() reply {
	return failure(http.StatusNotFound, map[string]any{"errors": wrapped("Resource not found")})
}

func invalid(messages ...string) reply { return errorsOf(http.StatusUnprocessableEntity, messages...) }

func malformed(message string) reply { return errorsOf(http.StatusBadRequest, message) }

// page cuts the page that r asks for out of a list, with X-Total-Count and Link.
func page[T any](r *http.Request, kind string, all []T) reply {
	number, size := queryInt(r, "page", 1), min(queryInt(r, "per_page", 25), 100)
	last := max((len(all)+size-1)/size, 1)
	from := min((number-1)*size, len(all))
	to := min(from+size, len(all))
	answer := ok(map[string]any{kind: append([]T{}, all[from:to]...)})
	answer.header.Set("X-Total-Count", strconv.Itoa(len(all)))
	link := ""
	add := func(rel string, n int) {
		if n < 1 || n > last || n == number {
			return
		}
		query := r.URL.Query()
		query.Set("page", strconv.Itoa(n))
		if link != "" {
			link += ", "
		}
		link += "<" + baseOf(r) + "/" + kind + "?" + query.Encode() + `>; rel="` + rel + `"`
	}
	add("prev", number-1)
	add("next", number+1)
	add("first", 1)
	add("last", last)
	if link != "" {
		answer.header.Set("Link", link)
	}
	return answer
}

func queryInt(r *http.Request, name string, otherwise int) int {
	n, err := strconv.Atoi(r.URL.Query().Get(name))
	if err != nil || n < 1 {
		return otherwise
	}
	return n
}
