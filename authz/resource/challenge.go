package resource

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/waryauth/wary/authz"
)

// statuses are the HTTP statuses of the errors that a resource answers with (RFC 6750,
// section 3.1; RFC 9449, section 7.1; RFC 9470, section 3). What is not here is a fault.
var statuses = map[authz.ErrorCode]int{
	authz.InvalidRequest:    http.StatusBadRequest,
	authz.InvalidToken:      http.StatusUnauthorized,
	authz.InvalidProof:      http.StatusUnauthorized,
	authz.UseNonce:          http.StatusUnauthorized,
	authz.InsufficientAuth:  http.StatusUnauthorized,
	authz.InsufficientScope: http.StatusForbidden,
}

// algorithms of DPoP proofs that are taken (RFC 9449, section 7.1).
const algorithms = `algs="ES256 PS256 EdDSA"`

func refusal(code authz.ErrorCode, description string) *authz.Error {
	return &authz.Error{Code: code, Description: description}
}

// refuse answers a request that is not let through. A fault is 503, and nothing of it
// is told but to the log.
func (v *Verifier) refuse(w http.ResponseWriter, r *http.Request, n *Needs, err error) {
	h := w.Header()
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	bearer := strings.EqualFold(scheme, "Bearer")
	if !bearer {
		h.Set("DPoP-Nonce", v.o.Proofs.Nonce())
	}
	if errors.Is(err, errNoToken) {
		h.Add("WWW-Authenticate", "DPoP "+algorithms)
		h.Add("WWW-Authenticate", "Bearer")
		count("no_token")
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var e *authz.Error
	if !errors.As(err, &e) || statuses[e.Code] == 0 {
		v.o.Log.Error("resource: a token could not be checked", "error", err)
		e = refusal(authz.TemporarilyUnavailable, "the access token cannot be checked now; try again")
		h.Set("Retry-After", "1")
		answer(w, http.StatusServiceUnavailable, e)
		return
	}
	h.Set("WWW-Authenticate", n.challenge(e, bearer))
	answer(w, statuses[e.Code], e)
}

// challenge returns the WWW-Authenticate of an error.
func (n *Needs) challenge(e *authz.Error, bearer bool) string {
	value := "DPoP "
	if bearer {
		value = "Bearer "
	}
	value += `error="` + string(e.Code) + `", error_description="` + e.Description + `"`
	if !bearer {
		value += ", " + algorithms
	}
	switch e.Code {
	case authz.InsufficientScope:
		if len(n.Scopes) > 0 {
			value += `, scope="` + strings.Join(n.Scopes, " ") + `"`
		}
	case authz.InsufficientAuth: // RFC 9470, section 3
		if len(n.ACRs) > 0 {
			value += `, acr_values="` + strings.Join(n.ACRs, " ") + `"`
		}
		if n.MaxAge > 0 {
			value += `, max_age="` + strconv.Itoa(int(n.MaxAge/time.Second)) + `"`
		}
	}
	return value
}

func answer(w http.ResponseWriter, status int, e *authz.Error) {
	count(string(e.Code))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": string(e.Code), "error_description": e.Description}) // the client went away
}

// count counts a refusal by its error: a handful of names.
func count(code string) {
	metrics.GetOrCreateCounter(`wary_resource_refused_total{error="` + code + `"}`).Inc()
}
