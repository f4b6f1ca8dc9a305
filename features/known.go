package features

import "math"

// slot is one value that a user is known by: how often it came with a success
// and on which day last.
type slot struct {
	key   uint32 // of the value; 0 is a free slot
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

// learn counts a success with a value. Where the table is full, the value that
// is worth least makes room.
func learn(slots []slot, key uint32, day uint16) {
	if key == 0 {
		return
	}
	worst := 0
	for i := range slots {
		s := &slots[i]
		if s.key == key {
			if s.count < math.MaxUint16 {
				s.count++
			}
			s.day = max(s.day, day)
			return
		}
		if s.worth() < slots[worst].worth() {
			worst = i
		}
	}
	slots[worst] = slot{key: key, count: 1, day: day}
}

// worth orders values by when they may be forgotten: each success is one more
// day of memory, up to 90, so that a trip does not push out a home.
func (s *slot) worth() int {
	if s.key == 0 {
		return -1
	}
	return int(s.day) + min(int(s.count), 90)
}

// used returns how many slots hold a value.
func used(slots []slot) int {
	n := 0
	for i := range slots {
		if slots[i].key != 0 {
			n++
		}
	}
	return n
}
