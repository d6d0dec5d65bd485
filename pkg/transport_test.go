package pkg_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// common is what speaks HTTP by http.DefaultTransport, which is everybody's: who closes its
// idle connections, as httptest.Server.Close does, cuts off whoever was about to use one.
var common = []string{"DefaultClient", "DefaultTransport", "Get", "Head", "Post", "PostForm"}

// commonTransport is where a file would use it: by name, or by a client without a Transport.
func commonTransport(set *token.FileSet, parsed *ast.File) []string {
	var found []string
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if isHTTP(n) && slices.Contains(common, n.Sel.Name) {
				found = append(found, fmt.Sprintf("%s: http.%s", set.Position(n.Pos()), n.Sel.Name))
			}
		case *ast.CompositeLit:
			if client, ok := n.Type.(*ast.SelectorExpr); ok && isHTTP(client) && client.Sel.Name == "Client" && !slices.ContainsFunc(n.Elts, isTransport) {
				found = append(found, fmt.Sprintf("%s: a http.Client without a Transport", set.Position(n.Pos())))
			}
		}
		return true
	})
	return found
}

func isHTTP(s *ast.SelectorExpr) bool {
	pkg, ok := s.X.(*ast.Ident)
	return ok && pkg.Name == "http"
}

func isTransport(e ast.Expr) bool {
	field, ok := e.(*ast.KeyValueExpr)
	if !ok {
		return false
	}
	key, ok := field.Key.(*ast.Ident)
	return ok && key.Name == "Transport"
}

func Test_Nobody_speaks_HTTP_by_the_common_transport(t *testing.T) {
	t.Parallel()
	for _, f := range moduleFiles(t, "..") {
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, "../"+f.dir+"/"+f.name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		require.Empty(t, commonTransport(set, parsed), "tests speak by pkg/loopback, others by pkg/outbound")
	}
}

func Test_The_common_transport_is_noticed(t *testing.T) {
	t.Parallel()
	for code, n := range map[string]int{
		`http.Get("http://127.0.0.1")`:                      1,
		`http.DefaultClient.Do(nil)`:                        1,
		`(&http.Client{Jar: nil}).Do(nil)`:                  1,
		`http.DefaultTransport.RoundTrip(nil)`:              1,
		`(&http.Client{Transport: mine}).Do(nil)`:           0,
		`loopback.Client.Get("http://127.0.0.1")`:           0,
		`http.NewRequest(http.MethodPost, "http://x", nil)`: 0,
	} {
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, "x.go", "package x\nfunc f() { "+code+" }", 0)
		require.NoError(t, err)
		require.Len(t, commonTransport(set, parsed), n, code)
	}
}
