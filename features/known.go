package features

import "unsafe"

// slot is one value that a user is known by: how often it came with a success
// and on which day last.
type slot struct {
	key   uint32 // of the value, not 0
	count uint16
	day   uint16 // days since 1970
}

// short is a key in 32 bits: enough among the few values of one user.
func short(k Key) uint32 {
	if k == 0 {
		return 0
	}
	if v := uint32(k ^ k>>32); v != 0 {
		return v
	}
	return 1
}

// trait is something that a user's successes have a value of.
type trait uint8

const (
	ofAddress trait = iota
	ofASN
	ofCountry
	ofDevice
	ofAgent
	ofBrowser
	ofOS
	ofClass
	ofSubnet
	ofRegion
	ofCity
	ofPrint
	ofLanguage
	ofOffset // of the device's clock
	ofScreen
	ofHardware
	ofTLS
	ofProof
	ofPayee
	ofRhythm       // typists, of several slots each
	traitCount int = iota
)

// traitRoom is how many values of each trait are kept.
var traitRoom = [traitCount]uint8{
	ofAddress: 8, ofASN: 6, ofCity: 6, ofPayee: 6, ofCountry: 5, ofDevice: 5, ofClass: 5,
	ofSubnet: 4, ofRegion: 4, ofAgent: 4, ofBrowser: 4, ofOS: 4,
	ofLanguage: 3, ofOffset: 3, ofScreen: 3, ofHardware: 3, ofPrint: 3, ofTLS: 3, ofProof: 3,
	ofRhythm: mostTypists * typistSlots,
}

// traitSlots is the sum of traitRoom.
const traitSlots = 82 + mostTypists*typistSlots

// traits are the values that a user is known by. Those of one trait lie together
// and the traits in their order, with nothing between: a user of few habits takes
// little room.
type traits struct {
	end   [traitCount]uint8 // of each trait's slots
	_     [4]uint8
	slots [traitSlots]slot
}

// of returns the values of a trait.
func (k *traits) of(t trait) []slot {
	from := uint8(0)
	if t > 0 {
		from = k.end[t-1]
	}
	return k.slots[from:k.end[t]]
}

// learn counts a success with a value. Where a trait has no room left, the value
// of it that is worth least makes some.
func (k *traits) learn(t trait, key uint32, day uint16) {
	if key == 0 {
		return
	}
	slots := k.of(t)
	if s := seen(slots, key); s != nil {
		s.count = increment(s.count)
		s.day = max(s.day, day)
		return
	}
	if len(slots) == int(traitRoom[t]) {
		worst := 0
		for i := range slots {
			if slots[i].worth() < slots[worst].worth() {
				worst = i
			}
		}
		slots[worst] = slot{key: key, count: 1, day: day}
		return
	}
	k.open(t, 1)[0] = slot{key: key, count: 1, day: day}
}

// open makes room for n slots at the end of a trait's, and returns them as they are.
func (k *traits) open(t trait, n uint8) []slot {
	at, last := k.end[t], k.end[traitCount-1]
	copy(k.slots[at+n:last+n], k.slots[at:last])
	for i := int(t); i < traitCount; i++ {
		k.end[i] += n
	}
	return k.slots[at : at+n]
}

// valid reports whether the ends are such as learn makes.
func (k *traits) valid() bool {
	from := uint8(0)
	for t, end := range k.end {
		if end < from || end-from > traitRoom[t] {
			return false
		}
		from = end
	}
	return len(k.of(ofRhythm))%typistSlots == 0
}

// MostLearnt is how many bytes a success may add to a user's Size.
const MostLearnt = (traitCount - 1 + typistSlots) * slotBytes

const slotBytes = 8

// Size returns how many bytes of the user are in use, from its first.
func (u *User) Size() int { return userBytes + slotBytes*int(u.end[traitCount-1]) }

const userBytes = int(unsafe.Sizeof(User{})) - slotBytes*traitSlots

// Valid reports whether bytes that were read as a user can be one.
func (u *User) Valid() bool { return u.valid() && u.checks <= 16 }

// seen returns the slot of a value, nil where it is not known.
func seen(slots []slot, key uint32) *slot {
	if key == 0 {
		return nil
	}
	for i := range slots {
		if slots[i].key == key {
			return &slots[i]
		}
	}
	return nil
}

// worth orders values by when they may be forgotten: each success is one more
// day of memory, up to 90, so that a trip does not push out a home.
func (s *slot) worth() int { return int(s.day) + min(int(s.count), 90) }
