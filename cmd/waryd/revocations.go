package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/internal/jose"
)

// Bounds of a revocation that is told, in bytes.
const (
	maxRevocation = 16 << 10 // a token may be in it
	maxBecause    = 256
	maxBy         = 64
)

// revocationNames are the members of a revocation, as POST /v1/revocations takes it: of
// the first five there is one.
var revocationNames = [...]string{"subject", "session", "client", "grant", "token", "because", "by"}

// revocation is what is to end, who wants it and why.
type revocation struct {
	target      authz.Target
	by, because string
}

// parseRevocation reads a revocation strictly.
func parseRevocation(text []byte) (*revocation, error) {
	m, err := texts(text, maxRevocation, revocationNames[:]...)
	if err != nil {
		return nil, err
	}
	r := &revocation{by: m["by"], because: m["because"]}
	r.target = authz.Target{Holder: authz.Holder{Subject: m["subject"], Session: m["session"], Client: m["client"]}, Grant: m["grant"], Token: m["token"]}
	if r.by == "" {
		r.by = "operator"
	}
	set := 0
	for _, name := range revocationNames[:5] {
		if m[name] != "" {
			set++
		}
	}
	switch {
	case set != 1:
		return nil, errors.New("want just one of subject, session, client, grant and token")
	case !plain(r.because, maxBecause):
		return nil, fmt.Errorf("/because: say why, in at most %d printable bytes", maxBecause)
	case !plain(r.by, maxBy):
		return nil, fmt.Errorf("/by: say who, in at most %d printable bytes", maxBy)
	}
	return r, nil
}

// texts returns the members of a JSON object, all of them texts by the given names, none
// twice. The error says what else is there.
func texts(document []byte, most int, names ...string) (map[string]string, error) {
	if len(document) > most {
		return nil, fmt.Errorf("is longer than %d bytes", most)
	}
	if err := jose.Strict(document, 2); err != nil {
		return nil, errors.New("is not JSON in which no name stands twice")
	}
	var m map[string]string
	if err := json.Unmarshal(document, &m); err != nil {
		return nil, errors.New("is not a JSON object of texts")
	}
	for name := range m {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("/%.40q: is none of %s", name, strings.Join(names, ", "))
		}
	}
	return m, nil
}

// plain reports whether a text is there, short and printable.
func plain(text string, most int) bool {
	if text == "" || len(text) > most {
		return false
	}
	for _, c := range text {
		if !unicode.IsPrint(c) {
			return false
		}
	}
	return true
}

// errNoAuthorization is the error of a revocation where nothing is ever granted.
var errNoAuthorization = errors.New("there is no authorization server here (authorization.listen)")

// takeRevocation reads a revocation and carries it out. The same again does no harm.
func (d *daemon) takeRevocation(ctx context.Context, text []byte) error {
	r, err := parseRevocation(text)
	if err != nil {
		return err
	}
	if d.authorization == nil {
		return errNoAuthorization
	}
	return d.authorization.authority.Revoke(ctx, r.target, r.by, r.because)
}

// revokeTold takes a revocation that came by Kafka. Where there is no authorization
// server it is for other nodes.
func (d *daemon) revokeTold(ctx context.Context, text []byte) error {
	if _, err := parseRevocation(text); err != nil {
		return &engine.InputError{Pointer: "", Detail: err.Error()}
	}
	if !d.ready.Load() {
		return errors.New("starting or stopping")
	}
	if d.authorization == nil {
		return nil
	}
	return d.takeRevocation(ctx, text)
}

// revoke is POST /v1/revocations of the operators' listener. There are no credentials on
// loopback, so what a web page makes a browser send is refused: another media type, an
// Origin, and a host that is a name which somebody else's DNS may lead here.
func (d *daemon) revoke(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, title, detail string) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"title": title, "status": status, "detail": detail}) // the client went away
	}
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "" || !loopback(hostPort(r.Host)):
		refuse(http.StatusForbidden, "Forbidden", "this is not for browsers")
		return
	case err != nil || mediaType != "application/json":
		refuse(http.StatusUnsupportedMediaType, "Unsupported Media Type", "want application/json")
		return
	case !d.ready.Load():
		refuse(http.StatusServiceUnavailable, "Service Unavailable", "starting or stopping")
		return
	case d.authorization == nil:
		refuse(http.StatusNotFound, "Not Found", errNoAuthorization.Error())
		return
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRevocation))
	if err == nil {
		_, err = parseRevocation(text)
	}
	if err != nil {
		refuse(http.StatusBadRequest, "Bad Request", err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	if err := d.takeRevocation(ctx, text); err != nil {
		d.log.Error("a revocation failed", "why", err)
		refuse(http.StatusServiceUnavailable, "Service Unavailable", "the revocation failed, or is not in the log; send it again")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// hostPort gives the host of a request a port, where it has none.
func hostPort(host string) string {
	if loopback(host) {
		return host
	}
	return host + ":80"
}
