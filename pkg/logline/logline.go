// Package logline keeps the lines of a log short: what others send (a path, a
// header, a provider's answer) can make no line longer than Most, whoever logs
// it and whatever it holds.
package logline

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
)

// Most is how many bytes a line has at most, its end included. A line of this
// length is written at once by every kernel, also where processes share a file.
const Most = 4096

// cut stands where something was cut off.
const cut = "...[cut]"

// limits are tried in turn on every text of a line until it fits: few texts are
// long, and a short one is not harmed by the limit of a long one.
var limits = []int{3072, 1536, 512, 128, 24}

// Handler is a slog.Handler that writes lines of at most Most bytes.
type Handler struct {
	out   *shared
	inner slog.Handler // writes into out.line
	bare  slog.Handler // the same without any attributes, for what fits in no other way
}

// shared is what a handler and those derived from it have in common.
type shared struct {
	mu   sync.Mutex
	line bytes.Buffer
	to   io.Writer
}

// New makes a handler of the one that format makes for a writer, such as
// slog.NewJSONHandler.
func New(to io.Writer, format func(io.Writer) slog.Handler) *Handler {
	out := &shared{to: to}
	inner := format(&out.line)
	return &Handler{out: out, inner: inner, bare: inner}
}

// Enabled is the inner handler's.
func (h *Handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.inner.Enabled(ctx, level)
}

// Handle writes one line. What is too long is cut, at the end of each text.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	err := h.out.format(ctx, h.inner, r)
	for i := 0; h.out.line.Len() > Most && i < len(limits); i++ {
		err = h.out.format(ctx, h.inner, shorter(r, limits[i]))
	}
	if h.out.line.Len() > Most { // too many attributes: the message alone
		said := slog.NewRecord(r.Time, r.Level, shorten(r.Message, limits[len(limits)-1]), r.PC)
		said.AddAttrs(slog.String("attributes", cut))
		err = h.out.format(ctx, h.bare, said)
	}
	if err != nil {
		return err
	}
	_, err = h.out.to.Write(h.out.line.Bytes())
	return err
}

func (s *shared) format(ctx context.Context, inner slog.Handler, r slog.Record) error {
	s.line.Reset()
	if s.line.Cap() > 16*Most { // one long line must not be kept for ever
		s.line = bytes.Buffer{}
	}
	return inner.Handle(ctx, r)
}

// WithAttrs keeps attributes for every line; they are cut at once.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	short := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		short[i] = shorterAttr(a, limits[2])
	}
	return &Handler{out: h.out, inner: h.inner.WithAttrs(short), bare: h.bare}
}

// WithGroup is the inner handler's.
func (h *Handler) WithGroup(name string) slog.Handler {
	return &Handler{out: h.out, inner: h.inner.WithGroup(shorten(name, limits[3])), bare: h.bare}
}

// shorter is the record with every text cut to most bytes.
func shorter(r slog.Record, most int) slog.Record {
	short := slog.NewRecord(r.Time, r.Level, shorten(r.Message, most), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		short.AddAttrs(shorterAttr(a, most))
		return true
	})
	return short
}

func shorterAttr(a slog.Attr, most int) slog.Attr {
	value := a.Value.Resolve()
	switch value.Kind() {
	case slog.KindString:
		value = slog.StringValue(shorten(value.String(), most))
	case slog.KindAny: // as the text handler prints it; a short one keeps its form
		if text := fmt.Sprintf("%+v", value.Any()); len(text) > most {
			value = slog.StringValue(shorten(text, most))
		}
	case slog.KindGroup:
		group := value.Group()
		short := make([]slog.Attr, len(group))
		for i, member := range group {
			short[i] = shorterAttr(member, most)
		}
		value = slog.GroupValue(short...)
	}
	return slog.Attr{Key: shorten(a.Key, min(most, 128)), Value: value}
}

func shorten(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + cut
}
