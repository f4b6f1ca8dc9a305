package authz

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/waryauth/wary/features/scopes"
	"github.com/waryauth/wary/internal/jose"
	"github.com/waryauth/wary/signals"
)

// Limits of JSON that a client sends: of the authorization_details parameter, in bytes,
// and of how deep it and others may be nested.
const (
	maxDetails = 16 << 10
	maxDepth   = 8
)

// Detail is one authorization detail (RFC 9396): its type, and the JSON object
// as the client sent it, compacted.
type Detail = scopes.Detail

// MarshalDetails returns the JSON array that answers authorization_details, or
// nil where there are none.
func MarshalDetails(details []Detail) json.RawMessage {
	if len(details) == 0 {
		return nil
	}
	out := []byte{'['}
	for i, d := range details {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, d.Raw...)
	}
	return append(out, ']')
}

// parseDetails reads the parameter: an array of objects, each with a type that
// the client may use. A key that stands twice in an object is refused, since two
// readers could see two things in it.
func parseDetails(text string, types []string) ([]Detail, *Error) {
	if text == "" {
		return nil, nil
	}
	if len(text) > maxDetails {
		return nil, refuse(InvalidDetails, "authorization_details is too long")
	}
	if err := jose.Strict([]byte(text), maxDepth); err != nil {
		return nil, refuse(InvalidDetails, "authorization_details is not strict JSON")
	}
	var raws []json.RawMessage
	if json.Unmarshal([]byte(text), &raws) != nil {
		return nil, refuse(InvalidDetails, "authorization_details is no array")
	}
	if len(raws) == 0 || len(raws) > signals.MaxDetails {
		return nil, refuse(InvalidDetails, "authorization_details has no items or too many")
	}
	details := make([]Detail, len(raws))
	for i, raw := range raws {
		d, err := parseDetail(raw, types)
		if err != nil {
			return nil, err
		}
		details[i] = d
	}
	return details, nil
}

func parseDetail(raw json.RawMessage, types []string) (Detail, *Error) {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil || members == nil {
		return Detail{}, refuse(InvalidDetails, "an item of authorization_details is no object")
	}
	var name string
	if json.Unmarshal(members["type"], &name) != nil || !slices.Contains(types, name) {
		return Detail{}, refuse(InvalidDetails, "an item of authorization_details has no type that this client may use")
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return Detail{}, refuse(InvalidDetails, "an item of authorization_details is not JSON")
	}
	return Detail{Type: name, Raw: compact.Bytes()}, nil
}

// maxScope bounds the scope parameter, in bytes.
const maxScope = 4 << 10

// parseScopes splits the scope parameter (RFC 6749, section 3.3): order is kept,
// a scope named twice counts once.
func parseScopes(text string, allowed []string) ([]string, *Error) {
	if len(text) > maxScope {
		return nil, refuse(InvalidScope, "scope is too long")
	}
	var scopes []string
	for s := range strings.SplitSeq(text, " ") {
		switch {
		case s == "" || slices.Contains(scopes, s):
		case !slices.Contains(allowed, s):
			return nil, refuse(InvalidScope, "scope names one that this client may not ask for")
		default:
			scopes = append(scopes, s)
		}
	}
	if len(scopes) > signals.MaxScopes {
		return nil, refuse(InvalidScope, "scope names too many")
	}
	return scopes, nil
}
