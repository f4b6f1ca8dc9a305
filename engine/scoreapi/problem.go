package scoreapi

import "strconv"

// Problem is why a request was refused: a problem document of RFC 9457.
type Problem struct {
	Type       string // a URI; empty is about:blank
	Title      string
	Status     int // the HTTP status
	Detail     string
	Errors     []FieldError // at most maxErrors, in the order found
	Allow      string       // the header Allow of a 405
	RetryAfter int          // seconds, the header Retry-After; 0 is none
}

// FieldError is what is wrong with one field.
type FieldError struct {
	Pointer string // RFC 6901, from the document's root: /network/ip
	Detail  string // completes "the field ...", names allowed values and ranges, never the value sent
}

// Append appends the document as application/problem+json. Allow and RetryAfter
// are headers and not part of it.
func (p *Problem) Append(dst []byte) []byte {
	dst = append(dst, '{')
	if p.Type != "" {
		dst = append(dst, `"type":`...)
		dst = append(appendString(dst, p.Type), ',')
	}
	dst = append(dst, `"title":`...)
	dst = appendString(dst, p.Title)
	dst = append(dst, `,"status":`...)
	dst = strconv.AppendInt(dst, int64(p.Status), 10)
	if p.Detail != "" {
		dst = append(dst, `,"detail":`...)
		dst = appendString(dst, p.Detail)
	}
	if len(p.Errors) > 0 {
		dst = append(dst, `,"errors":[`...)
		for i := range p.Errors {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, `{"pointer":`...)
			dst = appendString(dst, p.Errors[i].Pointer)
			dst = append(dst, `,"detail":`...)
			dst = append(appendString(dst, p.Errors[i].Detail), '}')
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}
