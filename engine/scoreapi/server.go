// Package scoreapi answers: how is the engine asked over HTTP?
//
// It is the score API, version 1, over fasthttp: [New] makes a [Server] from an
// engine and the callers' [Keys]; [Server.Serve] answers until
// [Server.Shutdown]. A request is decoded strictly into pooled memory, scored,
// and encoded by appending: in steady state nothing is allocated. Every error is
// an RFC 9457 problem; a fault inside is 500 and never an allow.
package scoreapi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/waryauth/wary/engine"
)

// Limits of a request.
const (
	MaxBody      = 64 << 10 // of one JSON document
	MaxBatch     = 16 << 20 // of an NDJSON batch
	maxHeader    = 16 << 10
	readTimeout  = 5 * time.Second
	writeTimeout = 5 * time.Second
	idleTimeout  = 2 * time.Minute
)

// Options of a server.
type Options struct {
	Engine *engine.Engine
	Keys   *Keys // nil or empty: everyone may do everything (loopback only)
	Log    *slog.Logger
	Now    func() time.Time // default time.Now

	MaxConnections int // default 16,384
}

// Server answers the score API.
type Server struct {
	o        Options
	http     *fasthttp.Server
	jobs     sync.Pool
	keys     atomic.Pointer[Keys]
	anyone   *Caller // nil where there are keys: taking them all away lets nobody in
	opened   time.Time
	requests atomic.Uint64
}

// job is the memory of one request.
type job struct {
	decoder Decoder
	x       engine.Assessment
	out     []byte
}

// New returns a server; nothing is listened to yet.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.MaxConnections <= 0 {
		o.MaxConnections = 16384
	}
	s := &Server{o: o, opened: o.Now()}
	if o.Keys.Empty() {
		s.anyone = &Caller{Name: "anyone", Rights: RightScore | RightFeedback | RightRead, limit: newLimiter(0, 0)}
	}
	s.jobs.New = func() any { return &job{} }
	s.keys.Store(o.Keys)
	s.http = &fasthttp.Server{
		Handler: s.handle, ErrorHandler: s.refuse, HeaderReceived: s.limitsOf,
		ReadBufferSize: maxHeader, MaxRequestBodySize: MaxBody, Concurrency: o.MaxConnections,
		ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		NoDefaultServerHeader: true, NoDefaultContentType: true, DisablePreParseMultipartForm: true, CloseOnShutdown: true,
		Logger: quiet{o.Log},
	}
	return s
}

// quiet takes what fasthttp logs about broken connections; it may hold parts of
// a request, so only that it happened is kept.
type quiet struct{ log *slog.Logger }

func (q quiet) Printf(string, ...any) { q.log.Debug("score API: a connection broke") }

// SetKeys replaces the callers while running.
func (s *Server) SetKeys(k *Keys) { s.keys.Store(k) }

// Serve answers on a listener until Shutdown, which makes it return nil.
func (s *Server) Serve(l net.Listener) error { return s.http.Serve(l) }

// Shutdown stops listening, lets open requests end, and closes idle connections.
func (s *Server) Shutdown(ctx context.Context) error { return s.http.ShutdownWithContext(ctx) }

// limitsOf allows the large body of a batch to the one route that takes it, and to
// whoever may send one: the body is read before the request is looked at.
func (s *Server) limitsOf(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
	if isBatch(h) && bytes.Equal(h.RequestURI(), []byte(feedbackPath)) && s.mayBatch(h) {
		return fasthttp.RequestConfig{MaxRequestBodySize: MaxBatch, ReadTimeout: 30 * time.Second}
	}
	return fasthttp.RequestConfig{MaxRequestBodySize: MaxBody}
}

// mayBatch looks at the key alone. Where there are certificates, a connection
// without a key is believed for now: the request itself is authenticated.
func (s *Server) mayBatch(h *fasthttp.RequestHeader) bool {
	keys := s.keys.Load()
	if keys.Empty() {
		return s.anyone != nil
	}
	key, ok := bearer(h)
	if !ok {
		return len(keys.certificates) > 0
	}
	c := keys.Bearer(key)
	return c != nil && c.Rights&RightFeedback != 0
}

// bearer returns the key of a request (RFC 6750, section 2.1; the scheme's case
// does not matter, RFC 9110, section 11.1).
func bearer(h *fasthttp.RequestHeader) (key []byte, ok bool) {
	const scheme = "Bearer "
	v := h.Peek("Authorization")
	if len(v) < len(scheme) || !bytes.EqualFold(v[:len(scheme)], []byte(scheme)) {
		return nil, false
	}
	return v[len(scheme):], true
}

func isBatch(h *fasthttp.RequestHeader) bool { return mediaType(h.ContentType()) == ndjson }

// handle answers one request.
func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	start := s.o.Now()
	j := s.jobs.Get().(*job)
	defer func() {
		if fault := recover(); fault != nil {
			panicsTotal.Inc()
			s.o.Log.Error("score API: a request failed", "fault", fault, "stack", string(debug.Stack()))
			s.problem(ctx, &job{}, unanswered()) // j may be half done: it is not pooled again
			s.timing(ctx, start)
			return
		}
		s.jobs.Put(j)
	}()
	s.route(ctx, j, start)
	s.timing(ctx, start)
}

// timing writes how long the answer took, and counts it.
func (s *Server) timing(ctx *fasthttp.RequestCtx, start time.Time) {
	took := s.o.Now().Sub(start)
	var b [48]byte
	ctx.Response.Header.SetCanonical(serverTiming, appendTiming(b[:0], took))
	requestSeconds.Update(took.Seconds())
	answered(ctx.Response.StatusCode())
}

var serverTiming = []byte("Server-Timing")

// appendTiming appends a duration as Server-Timing has it: milliseconds, three digits
// of a fraction.
func appendTiming(b []byte, took time.Duration) []byte {
	us := max(took.Microseconds(), 0)
	b = strconv.AppendInt(append(b, "score;dur="...), us/1000, 10)
	return append(b, '.', byte('0'+us/100%10), byte('0'+us/10%10), byte('0'+us%10))
}

// endpoint is one row of the routes.
type endpoint struct {
	path   string
	method string
	right  Right // 0: open to everyone
	body   bool
	serve  func(*Server, *fasthttp.RequestCtx, *job) *Problem
}

var endpoints = [...]endpoint{
	{"/v1/score", "POST", RightScore, true, (*Server).score},
	{"/v1/evaluate", "POST", RightScore, true, (*Server).evaluate},
	{feedbackPath, "POST", RightFeedback, true, (*Server).feedback},
	{"/v1/events", "POST", RightFeedback, true, (*Server).event},
	{"/v1/openapi.json", "GET", 0, false, (*Server).openAPI},
	{decisionsPath, "GET", RightRead, false, (*Server).receipt},
}

const (
	feedbackPath  = "/v1/feedback"
	decisionsPath = "/v1/decisions/"
)

// exactly returns the endpoint whose path the request's target is, as it was sent:
// nearly every one is, and need not be taken apart.
func exactly(target []byte) *endpoint {
	for i := range endpoints {
		if e := &endpoints[i]; string(target) == e.path {
			return e
		}
	}
	return nil
}

func endpointOf(path []byte) *endpoint {
	for i := range endpoints {
		e := &endpoints[i]
		if string(path) == e.path || e.path == decisionsPath && bytes.HasPrefix(path, []byte(decisionsPath)) {
			return e
		}
	}
	return nil
}

// route finds the endpoint, checks method, caller, rate and media type, and lets
// it answer.
func (s *Server) route(ctx *fasthttp.RequestCtx, j *job, start time.Time) {
	if p := s.dispatch(ctx, j, start); p != nil {
		s.problem(ctx, j, p)
	}
}

func (s *Server) dispatch(ctx *fasthttp.RequestCtx, j *job, start time.Time) *Problem {
	if len(ctx.Request.Header.Peek("Transfer-Encoding")) > 0 && len(ctx.Request.Header.Peek("Content-Length")) > 0 {
		ctx.SetConnectionClose()
		return &Problem{Status: 400, Title: "Malformed request", Detail: "Content-Length and Transfer-Encoding stand together."}
	}
	e := exactly(ctx.Request.Header.RequestURI())
	if e == nil {
		e = endpointOf(ctx.Path())
	}
	if e == nil {
		return &Problem{Status: 404, Title: "Not found", Detail: "There is no such resource. The contract is at /v1/openapi.json."}
	}
	if string(ctx.Method()) != e.method {
		return &Problem{Status: 405, Title: "Method not allowed", Detail: "Use " + e.method + ".", Allow: e.method}
	}
	if e.right != 0 {
		caller, p := s.authenticate(ctx, e.right)
		if p != nil {
			return p
		}
		// Counted from the start: a clock that is set changes nothing.
		if wait := caller.limit.take(cost(ctx, e), int64(start.Sub(s.opened))); wait > 0 {
			return tooMany(wait)
		}
	}
	if e.body {
		if p := checkMedia(ctx, e.path); p != nil {
			return p
		}
	}
	return e.serve(s, ctx, j)
}

// cost is what a request counts against its caller's rate: a batch, its lines.
func cost(ctx *fasthttp.RequestCtx, e *endpoint) int64 {
	if e.path == feedbackPath && isBatch(&ctx.Request.Header) {
		return int64(max(lines(ctx.PostBody()), 1))
	}
	return 1
}

func tooMany(wait time.Duration) *Problem {
	return &Problem{Status: 429, Title: "Too many requests", Detail: "The caller's rate is used up.", RetryAfter: int((wait + time.Second - 1) / time.Second)}
}

// authenticate returns who calls, and refuses who may not.
func (s *Server) authenticate(ctx *fasthttp.RequestCtx, need Right) (*Caller, *Problem) {
	keys := s.keys.Load()
	if keys.Empty() && s.anyone != nil {
		return s.anyone, nil
	}
	var c *Caller
	if key, ok := bearer(&ctx.Request.Header); ok {
		c = keys.Bearer(key)
	} else if tls := ctx.TLSConnectionState(); tls != nil && len(tls.PeerCertificates) > 0 {
		c = keys.Certificate(tls.PeerCertificates[0].Raw)
	}
	if c == nil {
		return nil, &Problem{Status: 401, Title: "Unauthorized", Detail: "Send a known key as `Authorization: Bearer KEY`, or a known client certificate."}
	}
	if c.Rights&need == 0 {
		return nil, &Problem{Status: 403, Title: "Forbidden", Detail: "The caller does not have the right that this needs."}
	}
	return c, nil
}

const (
	jsonType = "application/json"
	ndjson   = "application/x-ndjson"
)

// mediaType returns a content type without its parameters.
func mediaType(v []byte) string {
	if i := bytes.IndexByte(v, ';'); i >= 0 {
		v = v[:i]
	}
	v = bytes.TrimSpace(v)
	switch {
	case bytes.EqualFold(v, []byte(jsonType)):
		return jsonType
	case bytes.EqualFold(v, []byte(ndjson)):
		return ndjson
	}
	return ""
}

func checkMedia(ctx *fasthttp.RequestCtx, path string) *Problem {
	media := mediaType(ctx.Request.Header.ContentType())
	if media == jsonType || media == ndjson && path == feedbackPath {
		if len(ctx.Request.Header.Peek("Content-Encoding")) > 0 {
			return &Problem{Status: 415, Title: "Unsupported media type", Detail: "A content encoding is not accepted; send the body as it is."}
		}
		return nil
	}
	return &Problem{Status: 415, Title: "Unsupported media type", Detail: "Send `Content-Type: application/json`."}
}

// problem answers with a problem document.
func (s *Server) problem(ctx *fasthttp.RequestCtx, j *job, p *Problem) {
	h := &ctx.Response.Header
	ctx.Response.ResetBody()
	ctx.SetStatusCode(p.Status)
	h.SetContentType("application/problem+json")
	if p.Allow != "" {
		h.Set("Allow", p.Allow)
	}
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.RetryAfter))
	}
	if p.Status == 401 {
		h.Set("WWW-Authenticate", `Bearer realm="wary"`)
	}
	j.out = p.Append(j.out[:0])
	ctx.Response.SetBody(j.out)
}

// refuse answers what the HTTP server itself does not take.
func (s *Server) refuse(ctx *fasthttp.RequestCtx, err error) {
	p := &Problem{Status: 400, Title: "Malformed request", Detail: "The request is not well-formed HTTP."}
	var small *fasthttp.ErrSmallBuffer
	var netErr net.Error
	switch {
	case errors.As(err, &small):
		p = &Problem{Status: 431, Title: "Request header fields too large", Detail: "Headers are at most 16 KiB."}
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		p = &Problem{Status: 413, Title: "Content too large", Detail: "A document is at most 64 KiB, a batch of feedback at most 16 MiB."}
		drain(ctx.Conn())
	case errors.As(err, &netErr) && netErr.Timeout():
		p = &Problem{Status: 408, Title: "Request timeout", Detail: "The request did not arrive in time."}
	}
	s.problem(ctx, &job{}, p)
	s.timing(ctx, s.o.Now())
}

// drain reads what a client is still sending, for a moment: a connection that is
// closed with unread bytes is reset, and the client would not see the answer.
func drain(c net.Conn) {
	_ = c.SetReadDeadline(time.Now().Add(100 * time.Millisecond)) // without it the read ends by the server's
	_, _ = io.CopyN(io.Discard, c, MaxBatch)                      // how it ends does not matter
}

// problemOf turns an error of the engine into a problem.
func (s *Server) problemOf(err error) *Problem {
	var input *engine.InputError
	switch {
	case errors.As(err, &input):
		return &Problem{Status: 400, Title: "Invalid request", Detail: "1 field is not valid.", Errors: []FieldError{{Pointer: input.Pointer, Detail: input.Detail}}}
	case errors.Is(err, engine.ErrConflict):
		return &Problem{Status: 409, Title: "Conflict", Detail: "This id was used before with other content."}
	case errors.Is(err, engine.ErrID):
		return &Problem{Status: 404, Title: "Not found", Detail: "There is no such decision."}
	case errors.Is(err, engine.ErrBusy), errors.Is(err, engine.ErrJournal):
		s.o.Log.Warn("score API: not available", "why", err)
		return &Problem{Status: 503, Title: "Unavailable", Detail: sentence(err), RetryAfter: 1}
	}
	s.o.Log.Error("score API: a request failed", "why", err)
	return unanswered()
}

func unanswered() *Problem {
	return &Problem{Status: 500, Title: "Internal error", Detail: "The request was not answered. Do not take this for an allow."}
}

// sentence returns the first line of an error that is safe to show.
func sentence(err error) string {
	if errors.Is(err, engine.ErrJournal) {
		return "The log cannot be written; nothing was accepted."
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
