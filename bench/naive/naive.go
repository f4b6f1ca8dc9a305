// Package naive answers: what would one write first?
//
// It is the same service built the way a good engineer builds it on a free
// afternoon, without a profiler: net/http, encoding/json, a map of pointers under
// one mutex, geoip2's City and ASN, a user agent parser, leaves for the model, a
// JSON line a decision to a file. It computes fewer features than Wary and keeps
// less, so a comparison with it flatters it. It is a yardstick, not a product.
package naive

import (
	"bufio"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/dmitryikh/leaves"
	"github.com/mileusna/useragent"
	"github.com/oschwald/geoip2-golang/v2"
)

// Server scores attempts.
type Server struct {
	City, ASN *geoip2.Reader // nil: no places
	Model     *leaves.Ensemble
	Log       io.Writer

	mu      sync.Mutex
	users   map[string]*history
	address map[string]*history
	logMu   sync.Mutex
}

// New returns a server.
func New(city, asn *geoip2.Reader, model *leaves.Ensemble, log io.Writer) *Server {
	return &Server{City: city, ASN: asn, Model: model, Log: log, users: map[string]*history{}, address: map[string]*history{}}
}

// attempt is the part of the contract that it reads.
type attempt struct {
	AttemptID string    `json:"attempt_id"`
	Time      time.Time `json:"time"`
	Action    string    `json:"action"`
	Subject   string    `json:"subject"`
	Client    struct {
		ID          string `json:"id"`
		RedirectURI string `json:"redirect_uri"`
		AuthMethod  string `json:"auth_method"`
	} `json:"client"`
	Session struct {
		ID       string    `json:"id"`
		ACR      string    `json:"acr"`
		AMR      []string  `json:"amr"`
		AuthTime time.Time `json:"auth_time"`
	} `json:"session"`
	Network struct {
		IP           string   `json:"ip"`
		ForwardedFor []string `json:"forwarded_for"`
		RTTMS        *float64 `json:"rtt_ms"`
	} `json:"network"`
	Headers struct {
		UserAgent      string `json:"user_agent"`
		AcceptLanguage string `json:"accept_language"`
		Referer        string `json:"referer"`
	} `json:"headers"`
	Device struct {
		ID        string   `json:"id"`
		Timezone  string   `json:"timezone"`
		Offset    *float64 `json:"timezone_offset_min"`
		Languages []string `json:"languages"`
		Screen    struct {
			Width, Height, Depth float64
		} `json:"screen"`
		Webdriver bool `json:"webdriver"`
	} `json:"device"`
	Behaviour struct {
		Keys struct {
			Count  float64    `json:"count"`
			Rhythm []*float64 `json:"rhythm"`
			Pasted bool       `json:"pasted"`
		} `json:"keys"`
		Pointer struct {
			Moves float64   `json:"moves"`
			Speed []float64 `json:"speed_px_s"`
		} `json:"pointer"`
	} `json:"behaviour"`
	Authentication struct {
		Result         string  `json:"result"`
		Method         string  `json:"method"`
		RecentFailures float64 `json:"recent_failures"`
	} `json:"authentication"`
	Intent struct {
		Scopes  []string          `json:"scopes"`
		Details []json.RawMessage `json:"authorization_details"`
		Amount  struct {
			Value    string `json:"value"`
			Currency string `json:"currency"`
		} `json:"amount"`
		Payee string `json:"payee"`
	} `json:"intent"`
}

// history is what it keeps of a user or an address.
type history struct {
	attempts  []time.Time // of the last day
	failures  []time.Time
	users     map[string]time.Time
	countries map[string]int
	networks  map[uint]int
	devices   map[string]int
	agents    map[string]int
	scopes    map[string]int
	hours     [24]int
	successes int
	first     time.Time
	last      time.Time
	latitude  float64
	longitude float64
}

func newHistory(at time.Time) *history {
	return &history{users: map[string]time.Time{}, countries: map[string]int{}, networks: map[uint]int{}, devices: map[string]int{},
		agents: map[string]int{}, scopes: map[string]int{}, first: at}
}

// seen is what an attempt shows.
type seen struct {
	country             string
	latitude, longitude float64
	located             bool
	network             uint
	agent               useragent.UserAgent
}

// answer is what it says.
type answer struct {
	DecisionID  string   `json:"decision_id"`
	AttemptID   string   `json:"attempt_id"`
	Decision    string   `json:"decision"`
	Probability float64  `json:"probability"`
	Scopes      []string `json:"scopes"`
	TTL         int      `json:"token_ttl_s"`
}

// ServeHTTP answers POST /v1/score.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var a attempt
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&a); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if a.Time.IsZero() {
		a.Time = time.Now()
	}
	out := s.score(&a)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out) // the client went away
}

func (s *Server) score(a *attempt) answer {
	o := s.observe(a)
	row := make([]float64, s.Model.NFeatures())
	for i := range row {
		row[i] = math.NaN()
	}
	s.mu.Lock()
	user, address := s.recall(s.users, a.Subject, a.Time), s.recall(s.address, a.Network.IP, a.Time)
	copy(row, vector(a, &o, user, address))
	s.mu.Unlock()
	p := 1 / (1 + math.Exp(-s.Model.PredictSingle(row, 0)))
	out := answer{DecisionID: a.AttemptID + "-1", AttemptID: a.AttemptID, Decision: "allow", Probability: p, Scopes: a.Intent.Scopes, TTL: 300}
	if p > 0.5 {
		out.Decision, out.Scopes = "deny", nil
	} else if p > 0.01 {
		out.Decision = "step_up"
	}
	s.mu.Lock()
	remember(user, a, &o, out.Decision)
	remember(address, a, &o, out.Decision)
	s.mu.Unlock()
	s.write(a, row, out)
	return out
}

func (s *Server) observe(a *attempt) (o seen) {
	o.agent = useragent.Parse(a.Headers.UserAgent)
	ip, err := netip.ParseAddr(a.Network.IP)
	if err != nil {
		return o
	}
	if s.City != nil {
		if c, err := s.City.City(ip); err == nil && c.Location.HasCoordinates() {
			o.country, o.located = c.Country.ISOCode, true
			o.latitude, o.longitude = *c.Location.Latitude, *c.Location.Longitude
		}
	}
	if s.ASN != nil {
		if n, err := s.ASN.ASN(ip); err == nil {
			o.network = n.AutonomousSystemNumber
		}
	}
	return o
}

func (s *Server) recall(in map[string]*history, key string, at time.Time) *history {
	h := in[key]
	if h == nil {
		h = newHistory(at)
		in[key] = h
	}
	return h
}

func vector(a *attempt, o *seen, user, address *history) []float64 {
	return []float64{
		fresh(user.countries, o.country), share(user.countries, o.country, user.successes),
		fresh(user.networks, o.network), share(user.networks, o.network, user.successes),
		fresh(user.devices, a.Device.ID), share(user.agents, a.Headers.UserAgent, user.successes),
		distance(o, user), speed(o, user, a.Time),
		since(user.attempts, a.Time, time.Minute), since(user.attempts, a.Time, time.Hour), since(user.attempts, a.Time, 24*time.Hour),
		since(user.failures, a.Time, time.Hour), since(address.attempts, a.Time, time.Minute), since(address.attempts, a.Time, time.Hour),
		since(address.failures, a.Time, time.Hour), float64(len(address.users)),
		float64(user.successes), a.Time.Sub(user.first).Hours() / 24, a.Time.Sub(user.last).Hours() / 24,
		float64(user.hours[a.Time.Hour()]) / float64(user.successes+1), float64(len(a.Intent.Scopes)), newScopes(user, a.Intent.Scopes),
		a.Authentication.RecentFailures, boolean(a.Device.Webdriver), boolean(o.agent.Mobile), boolean(o.agent.Bot),
	}
}

func remember(h *history, a *attempt, o *seen, decision string) {
	h.attempts = append(trim(h.attempts, a.Time), a.Time)
	h.users[a.Subject] = a.Time
	if a.Authentication.Result == "failure" {
		h.failures = append(trim(h.failures, a.Time), a.Time)
	}
	if a.Authentication.Result != "success" || decision != "allow" {
		return
	}
	h.countries[o.country]++
	h.networks[o.network]++
	h.devices[a.Device.ID]++
	h.agents[a.Headers.UserAgent]++
	for _, s := range a.Intent.Scopes {
		h.scopes[s]++
	}
	h.hours[a.Time.Hour()]++
	h.successes++
	h.last, h.latitude, h.longitude = a.Time, o.latitude, o.longitude
}

// trim drops what is older than a day.
func trim(times []time.Time, now time.Time) []time.Time {
	for len(times) > 0 && now.Sub(times[0]) > 24*time.Hour {
		times = times[1:]
	}
	return times
}

func since(times []time.Time, now time.Time, d time.Duration) float64 {
	n := 0
	for _, t := range times {
		if now.Sub(t) <= d {
			n++
		}
	}
	return float64(n)
}

func fresh[K comparable](in map[K]int, k K) float64 { return boolean(in[k] == 0) }

func share[K comparable](in map[K]int, k K, n int) float64 { return float64(in[k]) / float64(n+1) }

func newScopes(h *history, scopes []string) float64 {
	n := 0
	for _, s := range scopes {
		if h.scopes[s] == 0 {
			n++
		}
	}
	return float64(n)
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// distance is the great circle in km from the last success.
func distance(o *seen, h *history) float64 {
	if !o.located || h.successes == 0 {
		return math.NaN()
	}
	const rad = math.Pi / 180
	dLat, dLon := (o.latitude-h.latitude)*rad, (o.longitude-h.longitude)*rad
	a := math.Pow(math.Sin(dLat/2), 2) + math.Cos(o.latitude*rad)*math.Cos(h.latitude*rad)*math.Pow(math.Sin(dLon/2), 2)
	return 2 * 6371 * math.Asin(math.Sqrt(a))
}

func speed(o *seen, h *history, at time.Time) float64 {
	return distance(o, h) / math.Max(at.Sub(h.last).Hours(), 1.0/3600)
}

// write logs the decision with its features.
func (s *Server) write(a *attempt, row []float64, out answer) {
	values := make([]*float64, len(row))
	for i := range row {
		if !math.IsNaN(row[i]) && !math.IsInf(row[i], 0) {
			values[i] = &row[i]
		}
	}
	line, err := json.Marshal(map[string]any{"time": a.Time, "subject": a.Subject, "ip": a.Network.IP, "features": values, "decision": out})
	if err != nil {
		return
	}
	s.logMu.Lock()
	defer s.logMu.Unlock()
	w := bufio.NewWriter(s.Log)
	_, _ = w.Write(append(line, '\n')) // a yardstick: the error has nowhere to go
	_ = w.Flush()
}
