package bench

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/waryauth/wary/bench/population"
	"github.com/waryauth/wary/engine/scoreapi"
	"github.com/waryauth/wary/signals"
	"github.com/waryauth/wary/signals/geoip"
)

// Of the simulation that a stream repeats.
const (
	streamUsers = 800
	streamDays  = 5
	streamSeed  = 7
)

// Stream is an endless sequence of POST /v1/score bodies: the attempts of
// simulated people over some days, again and again, each with an id of its own and
// at its own time. Time goes on from one round to the next, so that a warm engine
// knows everyone and sees them at the pace of life. A Stream is immutable.
type Stream struct {
	bodies []streamBody
	days   time.Duration
	mean   int
}

// streamBody is one attempt. Its id and times have places of fixed width.
type streamBody struct {
	text  []byte
	id    int // where its digits are
	since time.Duration
	times []streamTime
}

// streamTime is a time of the body, some time before that of the attempt.
type streamTime struct {
	at     int
	before time.Duration
}

const (
	idDigits   = 16
	timeLayout = time.RFC3339 // in UTC, 20 bytes
)

// streamStart is far enough back for ten million requests.
func streamStart() time.Time { return time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC) }

// NewStream returns the attempts of some 800 people at real addresses, as the geo
// files of a folder know them, or at made-up ones where City or ASN is not there.
func NewStream(geo string) (*Stream, error) {
	world := population.SyntheticWorld(streamSeed)
	if files := geoip.Find(geo); files.City != "" && files.ASN != "" {
		var err error
		if world, err = population.OpenWorld(files, "", streamSeed); err != nil {
			return nil, err
		}
	}
	return newStream(world), nil
}

func newStream(world *population.World) *Stream {
	s := &Stream{days: streamDays * 24 * time.Hour}
	r := rand.New(rand.NewPCG(streamSeed, 0))
	simulation := population.New(population.Options{Seed: streamSeed, Users: streamUsers, Days: streamDays, World: world})
	start := simulation.Options().Start
	for l := range simulation.Attempts() {
		a := l.Attempt
		furnish(&a, r)
		s.bodies = append(s.bodies, newBody(&a, start))
		s.mean += len(s.bodies[len(s.bodies)-1].text)
	}
	s.mean /= len(s.bodies)
	return s
}

// newBody encodes an attempt and finds its id and times.
func newBody(a *signals.Attempt, start time.Time) streamBody {
	at := a.Time.Truncate(time.Second)
	a.ID, a.Time, a.PreviousDecisionID = fmt.Sprintf("%0*d", idDigits, 0), at, ""
	for _, t := range []*time.Time{&a.Session.Created, &a.Session.AuthTime, &a.Token.Issued} {
		*t = t.Truncate(time.Second)
	}
	b := streamBody{text: scoreapi.AppendAttempt(nil, a), since: at.Sub(start)}
	b.id = bytes.Index(b.text, []byte(a.ID))
	for _, t := range []struct {
		name string
		time time.Time
	}{{"time", at}, {"created", a.Session.Created}, {"auth_time", a.Session.AuthTime}, {"issued", a.Token.Issued}} {
		mark := []byte(`"` + t.name + `":"`)
		if i := bytes.Index(b.text, mark); i >= 0 {
			b.times = append(b.times, streamTime{i + len(mark), at.Sub(t.time)})
		}
	}
	return b
}

// furnish adds what a caller with everything switched on sends beside what the
// simulation tells: the rhythm of the typed text, and what was agreed to.
func furnish(a *signals.Attempt, r *rand.Rand) {
	if a.Behaviour.Keys.Count.Set {
		k := &a.Behaviour.Keys
		for i := range k.Rhythm {
			k.Rhythm[i] = float32(r.IntN(4000)) / 10
		}
		k.RhythmSet = true
	}
	if a.Session.ID == "" {
		a.Session.ID = fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64())
	}
	a.Network.HTTPVersion = "2"
	a.Consent.ID = fmt.Sprintf("consent-%016x", r.Uint64())
	a.Intent.Details = []signals.Detail{{Type: "payment_initiation", Raw: `{"type":"payment_initiation","locations":["https://bank.example/payments"],` +
		`"instructedAmount":{"currency":"EUR","amount":"123.50"},"creditorName":"Merchant A","creditorAccount":{"iban":"DE02100100109307118603"},` +
		`"remittanceInformationUnstructured":"Ref Number Merchant"}`}}
	a.External = []signals.External{{Name: "device_reputation", Value: r.Float64()}, {Name: "mule_score", Value: r.Float64()}}
}

// MeanBytes is the mean length of a body.
func (s *Stream) MeanBytes() int { return s.mean }

// Len returns the length of body n.
func (s *Stream) Len(n uint64) int { return len(s.bodies[n%uint64(len(s.bodies))].text) }

// Append appends body n. Every n is an attempt of its own, later the higher n is.
// It allocates nothing where dst has room.
func (s *Stream) Append(dst []byte, n uint64) []byte {
	of := uint64(len(s.bodies))
	b := &s.bodies[n%of]
	from := len(dst)
	dst = append(dst, b.text...)
	text := dst[from:]
	for i, rest := b.id+idDigits-1, n; rest > 0 && i >= b.id; i, rest = i-1, rest/10 {
		text[i] = '0' + byte(rest%10)
	}
	at := streamStart().Add(time.Duration(n/of)*s.days + b.since)
	for _, t := range b.times {
		at.Add(-t.before).AppendFormat(text[t.at:t.at], timeLayout)
	}
	return dst
}
