package dashboard

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"

	"towpath/pkg/secret"
)

// knownBrowsers tells those that knew a user's password before, by a cookie that only
// this Towpath can make and that ends with the password. It admits nobody: it only
// keeps the wrong passwords of others from counting against them.
type knownBrowsers struct {
	box    *secret.Box // nil: none is known
	path   string
	secure bool
}

const (
	knownCookie = "towpath-known"
	knownDays   = 90
)

// of is the question whether the request's browser has known the password with a mark.
func (k knownBrowsers) of(r *http.Request) func(mark string) (browser string, known bool) {
	return func(mark string) (string, bool) {
		c, err := r.Cookie(knownCookie)
		if err != nil || k.box == nil || len(c.Value) > 200 {
			return "", false
		}
		sealed, err := base64.RawURLEncoding.DecodeString(c.Value)
		if err != nil {
			return "", false
		}
		plain, err := k.box.Open(sealed, placeOf(mark))
		return string(plain), err == nil
	}
}

func placeOf(mark string) string { return secret.Place("dashboard.known_browser", mark) }

func (k knownBrowsers) remember(w http.ResponseWriter, mark string) {
	if k.box == nil || mark == "" {
		return
	}
	sealed := k.box.Seal([]byte(rand.Text()), placeOf(mark))
	http.SetCookie(w, &http.Cookie{Name: knownCookie, Value: base64.RawURLEncoding.EncodeToString(sealed), Path: k.path,
		MaxAge: knownDays * 24 * 60 * 60, HttpOnly: true, Secure: k.secure, SameSite: http.SameSiteLaxMode})
}
