package dashboard

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"

	"github.com/julienschmidt/httprouter"
)

// static holds the embedded files, each under a name with its digest, so that
// browsers keep it until it changes.
type static struct {
	files map[string]staticFile // by name
}

type staticFile struct {
	content     []byte
	contentType string
	version     string
}

func loadStatic() static {
	s := static{files: map[string]staticFile{}}
	for name, contentType := range map[string]string{
		"dashboard.css": "text/css; charset=utf-8",
		"dashboard.js":  "text/javascript; charset=utf-8",
		"icon.svg":      "image/svg+xml",
	} {
		content, err := files.ReadFile("static/" + name)
		if err != nil {
			panic(err) // embedded at build time
		}
		sum := sha256.Sum256(content)
		s.files[name] = staticFile{content, contentType, hex.EncodeToString(sum[:6])}
	}
	return s
}

// path is where a page links to, under BasePath.
func (s static) path(name string) string {
	return "/dashboard/static/" + name + "?v=" + s.files[name].version
}

func (d *Dashboard) file(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	file, known := d.static.files[params.ByName("file")]
	if !known {
		d.notFound(w, r)
		return
	}
	w.Header().Set("Content-Type", file.contentType)
	if r.URL.Query().Get("v") == file.version {
		w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
	}
	_, _ = w.Write(file.content) // a reader who went away is his own affair
}
