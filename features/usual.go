package features

import (
	"math"

	"github.com/waryauth/wary/signals"
)

// Usual fills dst with what the features of an attempt would be if this user had
// made it as usual, as far as the user's record tells: from the network, the place
// and on the device that most of the successes came with, at the usual hour, after
// the usual pause, for the usual amount. What the record says nothing of is NaN:
// what others do at the usual address or on the usual device is not looked up, and a
// record holds neither the session nor the client. v is the attempt's vector. It
// reports false, and tells nothing, where there is no success to compare with or the
// person is not present.
func Usual(dst, v *Vector, t *Trace, user *User) bool {
	dst.Reset()
	if t.User == 0 || t.Flags&Unattended != 0 || user.Successes == 0 {
		return false
	}
	p := &Profile{User: *user}
	u := &p.User
	var habit Trace
	u.habit(&habit, t)
	if h := u.home(); h.count > 0 { // the last success is taken to have been there too
		u.place.latitude, u.place.longitude, u.place.address = h.latitude, h.longitude, short(habit.Address)
	}
	x := input{t: &habit, p: p, now: MomentOf(t.Time), subject: true, present: true, history: true}
	geoHistory(dst, &x)
	geoTravel(dst, &x)
	geoCrossing(dst, &x)
	networkHistory(dst, &x)
	deviceHistory(dst, &x)
	deviceChange(dst, &x)
	usualPresence(dst, u)
	usualNetwork(dst, v, u)
	usualTime(dst, v, u)
	usualIntent(dst, v, u)
	for _, f := range [...]int{HisNLogins, HisLearningMode, HisPastStepUpPassRate, HisPastStepUps30d, HisPastDenies30d,
		HisKnownCountries, HisKnownDevices, HisKnownNetworks, HisTypicalGapDays, HisHistoryDays} {
		dst[f] = v[f] // the record says the same whoever makes the attempt
	}
	return true
}

// Differ returns the families, as bits by Family, in which two vectors differ.
// Missing is the same as missing.
func (v *Vector) Differ(w *Vector) (families uint) {
	for i, f := range Schema {
		if v[i] != w[i] && (v[i] == v[i] || w[i] == w[i]) {
			families |= 1 << f.Family
		}
	}
	return families
}

// Take copies the features of some families, bits by Family, from w.
func (v *Vector) Take(w *Vector, families uint) {
	for i, f := range Schema {
		if families>>f.Family&1 == 1 {
			v[i] = w[i]
		}
	}
}

// habit fills the trace of an attempt with the user's most frequent values, each
// known by its short key alone.
func (u *User) habit(h, t *Trace) {
	*h = Trace{
		Time: t.Time, User: t.User, Typed: t.Typed, Action: t.Action, Result: signals.Success,
		Address: mostly(u.of(ofAddress)), Subnet: mostly(u.of(ofSubnet)), ASN: mostly(u.of(ofASN)), Country: mostly(u.of(ofCountry)),
		Device: mostly(u.of(ofDevice)), Fingerprint: mostly(u.of(ofPrint)), Agent: mostly(u.of(ofAgent)), Browser: mostly(u.of(ofBrowser)),
		OS: mostly(u.of(ofOS)), Class: mostly(u.of(ofClass)), Language: mostly(u.of(ofLanguage)), TLS: mostly(u.of(ofTLS)),
		Screen: mostly(u.of(ofScreen)), Hardware: mostly(u.of(ofHardware)),
		Region: uint32(mostly(u.of(ofRegion))), City: uint32(mostly(u.of(ofCity))),
		CountryCode: u.country, BrowserFamily: u.browser, OSFamily: u.system, BrowserMajor: u.browserMajor,
		OffsetMin: NoOffset, LocalMin: NoOffset,
	}
	if k := mostly(u.of(ofOffset)); k != 0 {
		h.OffsetMin = int16(int32(k) + NoOffset)
	}
	if home := u.home(); home.count > 0 {
		h.Flags |= Located
		h.Latitude, h.Longitude, h.AccuracyKM = home.latitude, home.longitude, u.place.accuracyKM
	}
	h.Flags |= [kinds]TraceFlags{kindCellular: Cellular, kindHosted: Hosted, kindAnonymous: Anonymous}[u.kind()]
}

// mostly returns a key whose short form is that of the value with the most
// successes, of as many the latest; zero where none is known.
func mostly(slots []slot) Key {
	var most slot
	for _, s := range slots {
		if s.count > most.count || s.count == most.count && s.day > most.day {
			most = s
		}
	}
	return Key(most.key)
}

// home returns the place with the most successes.
func (u *User) home() (most home) {
	for _, h := range u.homes {
		if h.count > most.count {
			most = h
		}
	}
	return most
}

// kind returns the kind of network with the most successes.
func (u *User) kind() (most int) {
	for k, n := range u.kinds {
		if n > u.kinds[most] {
			most = k
		}
	}
	return most
}

// usualPresence says of what the user's successes come with that it is there.
func usualPresence(dst *Vector, u *User) {
	for _, f := range [...]struct {
		feature int
		known   bool
	}{
		{GeoLocationMissing, u.home().count > 0}, {DevIDMissing, len(u.of(ofDevice)) > 0}, {DevLanguageEmpty, len(u.of(ofLanguage)) > 0},
		{DevUAEmpty, len(u.of(ofAgent)) > 0}, {DevTelemetryMissing, len(u.of(ofScreen)) > 0 || len(u.of(ofHardware)) > 0 || len(u.of(ofOffset)) > 0},
	} {
		if f.known {
			dst[f.feature] = 0
		}
	}
}

// usualNetwork says what the usual kind of network is not, where the attempt's own
// could be told.
func usualNetwork(dst, v *Vector, u *User) {
	tell := func(x float32, features ...int) {
		for _, f := range features {
			if v[f] == v[f] {
				dst[f] = x
			}
		}
	}
	switch kind := u.kind(); kind {
	case kindAnonymous:
		tell(1, NetIsAnonymizer)
	case kindHosted:
		tell(1, NetIsHosting)
		tell(0, NetIsTor, NetIsVPN, NetIsProxy, NetIsResidentialProxy, NetIsAnonymizer)
	default:
		tell(0, NetIsTor, NetIsVPN, NetIsProxy, NetIsResidentialProxy, NetIsAnonymizer, NetIsHosting)
		tell(one(kind == kindCellular), NetIsMobileCarrier)
	}
}

// usualTime is the likeliest hour and day, after the usual pause.
func usualTime(dst, v *Vector, u *User) {
	dst[HisHourOfDayLikelihood] = likeliest(u.hours[:], 0.5)
	dst[HisDayOfWeekLikelihood] = likeliest(u.weekdays[:], 1)
	if u.gap.n == 0 {
		return
	}
	seconds := float32(math.Exp(float64(u.gap.mean)))
	dst[HisDaysSinceLastLogin] = seconds / (msPerDay / 1000)
	dst[VelInterarrivalS] = seconds
	if v[VelInterarrivalZ] == v[VelInterarrivalZ] {
		dst[VelInterarrivalZ] = 0
	}
}

func likeliest(bins []uint8, centre float32) float32 {
	most := likelihood(bins, 0, centre)
	for i := range bins {
		most = max(most, likelihood(bins, i, centre))
	}
	return most
}

// usualIntent is the same action, for nothing that the user has not asked before.
func usualIntent(dst, v *Vector, u *User) {
	dst[ConAction] = v[ConAction]
	tell := func(known bool, f int, x float32) {
		if known && v[f] == v[f] {
			dst[f] = x
		}
	}
	tell(u.scopes != 0, ConScopeNewForUser, 0)
	tell(len(u.of(ofPayee)) > 0, PayPayeeNew, 0)
	tell(len(u.of(ofProof)) > 0, TokDPoPJKTNew, 0)
	tell(u.amount.n > 0, PayAmount, float32(math.Exp(float64(u.amount.mean)))/100)
	tell(u.amount.n > 0, PayAmountVsMean, 0)
	tell(u.amount.n > 0, PayAmountZUser, 0)
	tell(true, DevKeyLost, 0)
	tell(true, TokProofWeaker, 0)
	dst[PayPayeeOnceShareUser] = v[PayPayeeOnceShareUser]
}
