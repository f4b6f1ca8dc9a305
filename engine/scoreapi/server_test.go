package scoreapi

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/valyala/fasthttp/fasthttputil"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/internal/journal"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/signals"
)

// desk is a server under test and a client of it; every answer is held against
// the contract.
type desk struct {
	t      *testing.T
	engine *engine.Engine
	server *Server
	in     *fasthttputil.InmemoryListener
	http   *http.Client
	router routers.Router
	now    atomic.Int64
}

// baseline loads the embedded model once: proving it against leaves takes a while.
var baseline = sync.OnceValues(models.Baseline)

func newDesk(t *testing.T, keys *Keys) *desk {
	t.Helper()
	d := &desk{t: t, in: fasthttputil.NewInmemoryListener(), router: contractRouter(t)}
	d.now.Store(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC).UnixNano())
	m, err := baseline()
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return time.Unix(0, d.now.Load()) }
	d.engine, err = engine.Open(t.TempDir(), engine.Options{Model: m, RetryEntries: 1024, JoinEntries: 1024, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	d.server = New(Options{Engine: d.engine, Keys: keys, Now: now, Log: slog.New(slog.DiscardHandler)})
	done := make(chan error, 1)
	go func() { done <- d.server.Serve(d.in) }()
	d.http = &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return d.in.Dial() }}}
	t.Cleanup(func() {
		d.http.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := errors.Join(d.server.Shutdown(ctx), <-done, d.engine.Close()); err != nil {
			t.Error(err)
		}
	})
	return d
}

func contractRouter(t *testing.T) routers.Router {
	t.Helper()
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromData(contract)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(loader.Context); err != nil {
		t.Fatal(err)
	}
	r, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

type got struct {
	status int
	header http.Header
	body   []byte
}

// do sends a request and validates the answer against the contract, where the
// contract has the path and method.
func (d *desk) do(method, path, contentType, body string, header ...string) got {
	d.t.Helper()
	req, err := http.NewRequest(method, "http://wary"+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := d.http.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	out := got{status: res.StatusCode, header: res.Header}
	if out.body, err = io.ReadAll(res.Body); err != nil {
		d.t.Fatal(err)
	}
	if !strings.HasPrefix(res.Header.Get("Server-Timing"), "score;dur=") {
		d.t.Errorf("%s %s: Server-Timing is %q", method, path, res.Header.Get("Server-Timing"))
	}
	d.validate(req, &out)
	return out
}

func (d *desk) validate(req *http.Request, g *got) {
	d.t.Helper()
	req.URL.Path = strings.TrimSuffix(req.URL.Path, "/")
	route, params, err := d.router.FindRoute(req)
	if err != nil {
		return // not of the contract: 404 and 405 are tested by themselves
	}
	in := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route},
		Status:                 g.status, Header: g.header, Body: io.NopCloser(bytes.NewReader(g.body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	}
	if strings.HasPrefix(g.header.Get("Content-Type"), ndjson) {
		return // a stream of documents
	}
	if err := openapi3filter.ValidateResponse(context.Background(), in); err != nil {
		d.t.Errorf("%s %s: the answer %s is not of the contract: %v", req.Method, req.URL.Path, g.body, err)
	}
}

func (d *desk) post(path, body string, header ...string) got {
	d.t.Helper()
	return d.do("POST", path, "application/json", body, header...)
}

// want checks a status and, for problems, that the text names what it should.
func (g got) want(t *testing.T, status int, says ...string) {
	t.Helper()
	if g.status != status {
		t.Errorf("status %d, want %d: %s", g.status, status, g.body)
	}
	if status >= 400 && g.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("content type %q", g.header.Get("Content-Type"))
	}
	for _, s := range says {
		if !bytes.Contains(g.body, []byte(s)) {
			t.Errorf("%s does not say %q", g.body, s)
		}
	}
}

func (g got) id(t *testing.T) string {
	t.Helper()
	var v struct {
		DecisionID string `json:"decision_id"`
	}
	if err := json.Unmarshal(g.body, &v); err != nil || v.DecisionID == "" {
		t.Fatalf("no decision in %s: %v", g.body, err)
	}
	return v.DecisionID
}

func attemptBody(id string) string {
	return fmt.Sprintf(`{"attempt_id":%q,"action":"login","subject":"psu-1","network":{"ip":"20.1.0.7"},`+
		`"authentication":{"result":"success","method":"pwd"},"intent":{"scopes":["openid","payments"],`+
		`"authorization_details":[{"type":"payment_initiation","amount":{"value":"1.00"}},{"type":"x\"y"}]}}`, id)
}

// TestFirstTenMinutes is what a new user tries with curl.
func TestFirstTenMinutes(t *testing.T) {
	d := newDesk(t, nil)
	first := d.post("/v1/score", attemptBody("a-1"))
	first.want(t, 200, `"attempt_id":"a-1"`, `"degraded":["geo"]`)
	again := d.post("/v1/score", attemptBody("a-1"))
	again.want(t, 200)
	if !bytes.Equal(first.body, again.body) {
		t.Errorf("the same attempt got other bytes:\n%s\n%s", first.body, again.body)
	}
	d.post("/v1/score", attemptBody("a-1")+" ").want(t, 409)
	d.post("/v1/evaluate", attemptBody("a-1")).want(t, 200)
	d.post("/v1/evaluate?explain=1", attemptBody("a-2")).want(t, 200, `"vector":{"geo.`, `"contributions":{`)

	d.post("/v1/score", `{"attempt_id":7,"action":"login","subject":"s","network":{"ip":"20.1.0.7"}}`).want(t, 400, `"/attempt_id"`)
	d.post("/v1/score", `{"attempt_id":"x","action":"login","subject":"s","network":{}}`).want(t, 400, `"/network/ip"`)
	d.post("/v1/score", `{"attempt_id":"x","action":"logon","subject":"s","network":{"ip":"20.1.0.7"}}`).want(t, 400, `"/action"`, "account_change")
	d.post("/v1/score", `{"attempt_id":"x","action":"login","subject":"s","network":{"ip":"20.1.0.7"},"time":"2030-01-01T00:00:00Z"}`).want(t, 400, `"/time"`)
	d.post("/v1/score", `{`).want(t, 400)
	d.post("/v1/score", strings.Repeat(" ", 1<<20)).want(t, 413)

	id := first.id(t)
	d.do("GET", "/v1/decisions/"+id, "", "").want(t, 200, `"psu_`[:1])
	d.do("GET", "/v1/decisions/nonsense", "", "").want(t, 404)
	feedback := fmt.Sprintf(`{"feedback_id":"f-1","decision_id":%q,"kind":"label","value":"fraud","source":"analyst"}`, id)
	d.post("/v1/feedback", feedback).want(t, 202, "accepted")
	d.post("/v1/feedback", feedback).want(t, 202, "accepted")
	d.post("/v1/feedback", strings.Replace(feedback, "fraud", "legitimate", 1)).want(t, 409)
	d.post("/v1/feedback", `{"feedback_id":"f-2","attempt_id":"not yet","kind":"label","value":"fraud","source":"analyst"}`).want(t, 202)
	d.post("/v1/score", attemptBody("not yet")).want(t, 200)
	d.do("GET", "/v1/decisions/"+id, "", "").want(t, 200, `"value":"fraud"`)
	d.post("/v1/events", `{"event_id":"e-1","type":"password_changed","subject":"psu-1"}`).want(t, 202)
	d.post("/v1/events", `{"event_id":"e-1","type":"password_changed","subject":"psu-2"}`).want(t, 409)
	d.post("/v1/events", `{"event_id":"e-2","type":"nonsense","subject":"psu-2"}`).want(t, 400, `"/type"`)

	d.do("GET", "/v1/openapi.json", "", "").want(t, 200, `"openapi"`)
	d.do("GET", "/v2/score", "", "").want(t, 404)
	get := d.do("GET", "/v1/score", "", "")
	get.want(t, 405)
	if get.header.Get("Allow") != "POST" {
		t.Errorf("Allow is %q", get.header.Get("Allow"))
	}
	d.do("POST", "/v1/score", "text/plain", attemptBody("m")).want(t, 415)
	d.do("POST", "/v1/score", "", attemptBody("m")).want(t, 415)
	d.post("/v1/score", attemptBody("m"), "Content-Encoding", "gzip").want(t, 415)
	d.do("POST", "/v1/score", "application/json; charset=utf-8", attemptBody("m")).want(t, 200)
	d.do("POST", "/v1/score", ndjson, attemptBody("m2")).want(t, 415)
}

func TestBatch(t *testing.T) {
	d := newDesk(t, nil)
	line := func(id, value string) string {
		return fmt.Sprintf(`{"feedback_id":%q,"attempt_id":"a","kind":"label","value":%q,"source":"analyst"}`, id, value)
	}
	g := d.do("POST", "/v1/feedback", ndjson, line("f-1", "fraud")+"\n\n"+line("f-2", "nonsense")+"\r\n"+line("f-3", "legitimate"))
	g.want(t, 200, `{"feedback_id":"f-1","status":"accepted"}`, `"status":"refused"`, `{"feedback_id":"f-3","status":"accepted"}`)
	if n := bytes.Count(g.body, []byte("\n")); n != 3 {
		t.Errorf("%d lines, want 3: %s", n, g.body)
	}
	d.do("POST", "/v1/feedback", ndjson, "\n \n").want(t, 400, "empty")
	var big strings.Builder
	for i := range 2000 {
		big.WriteString(line(fmt.Sprint("b-", i), "fraud") + "\n")
	}
	big.WriteString(`{"note":"` + strings.Repeat("x", MaxBody) + `"}`)
	g = d.do("POST", "/v1/feedback", ndjson, big.String())
	g.want(t, 200, "413")
	if n := bytes.Count(g.body, []byte(`"accepted"`)); n != 2000 {
		t.Errorf("%d of 2000 lines accepted", n)
	}
	d.do("POST", "/v1/feedback", ndjson, strings.Repeat("0\n", maxLines+1)).want(t, 413, "200,000 lines")
	shortest := `{"feedback_id":"1","attempt_id":"a","kind":"label","value":"fraud","source":"issuer"}` + "\n"
	if MaxBatch/len(shortest) > maxLines {
		t.Errorf("a batch holds %d lines that are valid", MaxBatch/len(shortest))
	}
}

func testKeys(t *testing.T, rights ...string) (string, *Keys) {
	t.Helper()
	key, row, err := NewKey("caller", rights)
	if err != nil {
		t.Fatal(err)
	}
	k, err := ParseKeys([]byte(row))
	if err != nil {
		t.Fatal(err)
	}
	return key, k
}

// wrongKey returns a key with the same id that differs in one character of its secret.
func wrongKey(key string) string {
	i := len(key) - 2
	other := byte('A')
	if key[i] == other {
		other = 'B'
	}
	return key[:i] + string(other) + key[i+1:]
}

func TestRights(t *testing.T) {
	key, keys := testKeys(t, "score")
	d := newDesk(t, keys)
	bearer := []string{"Authorization", "Bearer " + key}
	g := d.post("/v1/score", attemptBody("a"))
	g.want(t, 401)
	if g.header.Get("WWW-Authenticate") == "" {
		t.Error("no WWW-Authenticate")
	}
	wrong := wrongKey(key)
	for _, bad := range []string{"Bearer " + wrong, "Bearer " + key + "x", "Bearer wary_", "Bearer ", "Basic " + key, key} {
		d.post("/v1/score", attemptBody("a"), "Authorization", bad).want(t, 401)
	}
	d.post("/v1/feedback", `{}`, bearer...).want(t, 403)
	d.do("GET", "/v1/decisions/x", "", "", bearer...).want(t, 403)
	d.post("/v1/score", attemptBody("a"), bearer...).want(t, 200)
	d.do("GET", "/v1/openapi.json", "", "").want(t, 200)
	d.post("/v1/score", attemptBody("a"), "Authorization", "bearer "+key).want(t, 200)
	_, other := testKeys(t, "score")
	d.server.SetKeys(other)
	d.post("/v1/score", attemptBody("b"), bearer...).want(t, 401)
	for _, none := range []*Keys{nil, {}} {
		d.server.SetKeys(none) // lets nobody in, not everybody
		d.post("/v1/score", attemptBody("b"), bearer...).want(t, 401)
		d.post("/v1/score", attemptBody("b")).want(t, 401)
	}
}

// TestStrangersSendNoBatch: the body of a request is read before the request is
// looked at; a large one only of whom may send it.
func TestStrangersSendNoBatch(t *testing.T) {
	feedback, keys := testKeys(t, "feedback")
	scoring, more := testKeys(t, "score")
	keys.ids = append(keys.ids, more.ids...)
	slices.SortFunc(keys.ids, func(a, b keyEntry) int { return strings.Compare(a.id, b.id) })
	d := newDesk(t, keys)
	large := strings.Repeat("\n", MaxBody+1)
	send := func(header ...string) got { return d.do("POST", "/v1/feedback", ndjson, large, header...) }
	send().want(t, 413)
	send("Authorization", "Bearer "+wrongKey(feedback)).want(t, 413)
	send("Authorization", "Bearer "+scoring).want(t, 413)
	send("Authorization", "Bearer "+feedback).want(t, 400, "empty")
}

func TestParseKeys(t *testing.T) {
	_, row, err := NewKey("a", []string{"score", "read"})
	if err != nil {
		t.Fatal(err)
	}
	f := func(want, text string) {
		t.Helper()
		if _, err := ParseKeys([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	f("stands twice", row+row)
	f("right \"admin\" is unknown", strings.Replace(row, "read", "admin", 1))
	f("name is missing", strings.Replace(row, "name: a", "name: \"\"", 1))
	f("exactly one of", strings.Replace(row, "sha256:", "rate: 1 #", 1))
	f("hexadecimal", strings.Replace(row, "sha256: ", "sha256: x", 1))
	f("nonsense", row+"  nonsense: 1\n")
	f("rate must be", row+"  rate: -1\n")
	f("rate must be", row+"  rate: .nan\n")
	f("rate must be", row+"  rate: .inf\n")
	f("rate must be", row+"  rate: 1e-9\n")
	f("burst must be", row+"  rate: 1\n  burst: 10000000\n")
	f("burst must be", row+"  rate: 1\n  burst: -1\n")
	certificate := "- {name: b, rights: [read], certificate_sha256: " + strings.Repeat("ab", 32) + "}\n"
	f("stands twice", certificate+certificate)
	if _, err := ParseKeys([]byte(row)); err != nil {
		t.Errorf("control: %v", err)
	}
}

func TestRate(t *testing.T) {
	key, row, err := NewKey("slow", []string{"score"})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := ParseKeys([]byte(row + "  rate: 2\n  burst: 3\n"))
	if err != nil {
		t.Fatal(err)
	}
	d := newDesk(t, keys)
	send := func() got { return d.post("/v1/evaluate", attemptBody("a"), "Authorization", "Bearer "+key) }
	for range 3 {
		send().want(t, 200)
	}
	g := send()
	g.want(t, 429)
	if g.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After is %q", g.header.Get("Retry-After"))
	}
	d.now.Add(int64(500 * time.Millisecond))
	send().want(t, 200)
	send().want(t, 429)
	d.now.Add(int64(time.Hour))
	for range 3 {
		send().want(t, 200)
	}
}

// TestRateOfBatches: a batch counts its lines. One that is larger than the burst
// passes when nothing is owed, and is paid back.
func TestRateOfBatches(t *testing.T) {
	key, row, err := NewKey("slow", []string{"feedback"})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := ParseKeys([]byte(row + "  rate: 2\n  burst: 3\n"))
	if err != nil {
		t.Fatal(err)
	}
	d := newDesk(t, keys)
	send := func(lines int) got {
		var b strings.Builder
		for i := range lines {
			fmt.Fprintf(&b, "\n{\"feedback_id\":\"f-%d\",\"attempt_id\":\"a\",\"kind\":\"label\",\"value\":\"fraud\",\"source\":\"analyst\"}\n", i)
		}
		return d.do("POST", "/v1/feedback", ndjson, b.String(), "Authorization", "Bearer "+key)
	}
	send(10).want(t, 200)
	g := send(1)
	g.want(t, 429)
	if g.header.Get("Retry-After") != "4" { // 11 lines at 2 a second, less the burst
		t.Errorf("Retry-After is %q", g.header.Get("Retry-After"))
	}
	d.now.Add(int64(5 * time.Second))
	send(1).want(t, 200)
	send(0).want(t, 400)
}

// TestLimiterBounds: at the bounds of what a file of keys may say nothing overflows.
func TestLimiterBounds(t *testing.T) {
	const inFiftyYears = 50 * 365 * 24 * int64(time.Hour)
	for _, rate := range []float64{leastRate, mostRate} {
		l := newLimiter(rate, mostBurst)
		for i := range mostBurst/maxLines + 1 {
			if wait := l.take(maxLines, inFiftyYears); (wait == 0) != (i < mostBurst/maxLines) {
				t.Errorf("rate %g: batch %d waits %v", rate, i, wait)
			}
		}
	}
}

// TestLimiter holds the limiter against its definition: in any span of time no
// more than burst + rate * span requests pass.
func TestLimiter(t *testing.T) {
	l := newLimiter(10, 5)
	passed := 0
	for ms := int64(0); ms < 10_000; ms++ {
		for range 3 {
			if l.take(1, ms*1e6) == 0 {
				passed++
			}
		}
	}
	if passed < 100+4 || passed > 100+5 {
		t.Errorf("%d passed in 10 s, want 5 at once and 10 a second", passed)
	}
	if newLimiter(0, 0).take(1000, 0) != 0 {
		t.Error("no rate is a limit")
	}
}

// raw sends bytes as they are and returns the answer's status and whether the
// server closed the connection.
func (d *desk) raw(request string) (status int, body string, closed bool) {
	d.t.Helper()
	c, err := d.in.Dial()
	if err != nil {
		d.t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		d.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		d.t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return res.StatusCode, string(b), res.Close
}

// TestSmuggling: a request that two servers could read differently is refused and
// its connection closed.
func TestSmuggling(t *testing.T) {
	d := newDesk(t, nil)
	body := attemptBody("smuggled")
	const head = "POST /v1/score HTTP/1.1\r\nHost: wary\r\nContent-Type: application/json\r\n"
	length := fmt.Sprintf("Content-Length: %d\r\n", len(body))
	for name, headers := range map[string]string{
		"doubled length":             length + length,
		"other lengths":              length + "Content-Length: 1\r\n",
		"length and chunked":         length + "Transfer-Encoding: chunked\r\n",
		"chunked and length":         "Transfer-Encoding: chunked\r\n" + length,
		"an unknown coding":          "Transfer-Encoding: gzip\r\n",
		"a header without a name":    ": x\r\n" + length,
		"a space before the colon":   "Content-Length : 5\r\n",
		"a length that is no number": "Content-Length: five\r\n",
	} {
		status, answer, closed := d.raw(head + headers + "\r\n" + body)
		if status != 400 || !closed || !strings.Contains(answer, `"status":400`) {
			t.Errorf("%s: %d, closed %v: %s", name, status, closed, answer)
		}
	}
	if status, answer, _ := d.raw(head + length + "\r\n" + body); status != 200 {
		t.Errorf("control: %d %s", status, answer)
	}
	if status, answer, _ := d.raw("GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 20_000) + "\r\n\r\n"); status != 431 || !strings.Contains(answer, "16 KiB") {
		t.Errorf("large headers: %d %s", status, answer)
	}
}

// TestPanicIsNoAllow: a fault inside is 500, and the next request is answered.
func TestPanicIsNoAllow(t *testing.T) {
	d := newDesk(t, nil)
	e := d.server.o.Engine
	d.server.o.Engine = nil
	g := d.post("/v1/score", attemptBody("a"))
	g.want(t, 500, "Do not take this for an allow")
	d.server.o.Engine = e
	d.post("/v1/score", attemptBody("a")).want(t, 200)
}

// TestLogFails: the attempt is stepped up, feedback is refused, nothing is lost silently.
func TestLogFails(t *testing.T) {
	m, err := baseline()
	if err != nil {
		t.Fatal(err)
	}
	d := newDesk(t, nil)
	dir := t.TempDir()
	broken, err := engine.Open(dir, engine.Options{Model: m, RetryEntries: 1024, JoinEntries: 1024, Journal: journal.Options{MaxRecord: 200_000}})
	if err != nil {
		t.Fatal(err)
	}
	if err := broken.Close(); err != nil { // every append fails from now on
		t.Fatal(err)
	}
	d.server.o.Engine = broken
	g := d.post("/v1/score", attemptBody("a"))
	g.want(t, 200, `"degraded":["geo","journal"]`, "DEGRADED_JOURNAL")
	if bytes.Contains(g.body, []byte(`"decision":"allow"`)) {
		t.Errorf("allowed without a log: %s", g.body)
	}
	d.post("/v1/feedback", `{"feedback_id":"f","attempt_id":"a","kind":"label","value":"fraud","source":"analyst"}`).want(t, 503, "log")
	d.server.o.Engine = d.engine
	d.post("/v1/score", attemptBody("a")).want(t, 200)
}

// TestAttemptRoundTrip: what AppendAttempt writes the decoder reads the same.
func TestAttemptRoundTrip(t *testing.T) {
	var a signals.Attempt
	var dec Decoder
	for _, body := range []string{attemptBody("x"), `{"attempt_id":"x","action":"login","subject":"s","network":{"ip":"::1"}}`, string(sampleAttempt(t)),
		`{"attempt_id":"x","action":"payment","subject":"s","network":{"ip":"::1"},"intent":{"amount":{"value":"0.005","currency":"KWD"}}}`} {
		if p := dec.Attempt(&a, []byte(body)); p != nil {
			t.Fatalf("%s: %s", body, p.Append(nil))
		}
		once := AppendAttempt(nil, &a)
		amount := a.Intent.Amount
		var b signals.Attempt
		var second Decoder
		if p := second.Attempt(&b, once); p != nil {
			t.Fatalf("%s: %s", once, p.Append(nil))
		}
		if b.Intent.Amount != amount {
			t.Errorf("amount %v became %v", amount, b.Intent.Amount)
		}
		if twice := AppendAttempt(nil, &b); !bytes.Equal(once, twice) {
			t.Errorf("written twice:\n%s\n%s", once, twice)
		}
	}
}

// TestContractNamesEveryField: the enumerations of the contract are those of signals.
func TestContractEnums(t *testing.T) {
	var doc struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct{ Enum []*string }
			}
		}
	}
	if err := json.Unmarshal(contract, &doc); err != nil {
		t.Fatal(err)
	}
	f := func(schema, property string, want []string) {
		t.Helper()
		var got []string
		for _, e := range doc.Components.Schemas[schema].Properties[property].Enum {
			if e != nil {
				got = append(got, *e)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s.%s: %v, want %v", schema, property, got, want)
		}
	}
	f("Attempt", "action", signals.Actions[1:])
	f("Feedback", "value", signals.FeedbackValues[1:])
	f("Feedback", "source", signals.Sources[1:])
	f("Event", "type", signals.EventTypes[1:])
}

func sampleAttempt(t *testing.T) []byte {
	t.Helper()
	b, err := contractSample()
	if err != nil {
		t.Fatal(err)
	}
	return b
}
