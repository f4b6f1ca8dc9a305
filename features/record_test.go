package features

import (
	"reflect"
	"testing"
	"unsafe"
)

// TestRecordsAreFlat: a store keeps and compares records as bytes, so they hold
// neither pointers nor padding. The control has both.
func TestRecordsAreFlat(t *testing.T) {
	for _, v := range []any{User{}, Shared{}, Members{}, Party{}, Pair{}, Totals{}} {
		typ := reflect.TypeOf(v)
		if got := payload(t, typ); got != typ.Size() {
			t.Errorf("%s has %d bytes of padding", typ, typ.Size()-got)
		}
	}
	type control struct {
		A uint8
		B uint32
	}
	if typ := reflect.TypeOf(control{}); payload(t, typ) == typ.Size() {
		t.Error("the control has no padding")
	}
	t.Logf("bytes: User %d to %d, Shared %d, Members %d, Party %d, Pair %d, Profile %d, Trace %d, Vector %d", userBytes, unsafe.Sizeof(User{}), unsafe.Sizeof(Shared{}), unsafe.Sizeof(Members{}), unsafe.Sizeof(Party{}), unsafe.Sizeof(Pair{}),
		unsafe.Sizeof(Profile{}), unsafe.Sizeof(Trace{}), unsafe.Sizeof(Vector{}))
}

// payload returns the size of a type without padding.
func payload(t *testing.T, typ reflect.Type) (n uintptr) {
	switch typ.Kind() {
	case reflect.Struct:
		for i := range typ.NumField() {
			n += payload(t, typ.Field(i).Type)
		}
	case reflect.Array:
		n = uintptr(typ.Len()) * payload(t, typ.Elem())
	case reflect.Pointer, reflect.String, reflect.Slice, reflect.Map, reflect.Interface, reflect.Func, reflect.Chan:
		t.Errorf("a record holds a %s", typ)
	default:
		n = typ.Size()
	}
	return n
}

// TestTraceCodec gives every field a value of its own and reads it back.
func TestTraceCodec(t *testing.T) {
	var tr Trace
	fillFields(t, reflect.ValueOf(&tr).Elem())
	b := tr.AppendBinary([]byte("x"))
	if len(b) != 1+TraceBytes {
		t.Fatalf("%d bytes, want %d", len(b)-1, TraceBytes)
	}
	var back Trace
	rest, err := back.ReadBinary(append(b[1:], "rest"...))
	if err != nil || string(rest) != "rest" || back != tr {
		t.Errorf("read back %+v, rest %q, error %v", back, rest, err)
	}
	if _, err := back.ReadBinary(b[1 : len(b)-1]); err != ErrTrace {
		t.Errorf("short: error %v", err)
	}
	tr.Rhythm = Rhythm{}
	b = tr.AppendBinary(nil)
	if rest, err := back.ReadBinary(b); err != nil || len(rest) != 0 || back != tr || len(b) != TraceBytes-rhythmBytes {
		t.Errorf("without a rhythm: %d bytes, read back %+v, error %v", len(b), back, err)
	}
}

// fillFields gives every field of a struct a value of its own.
func fillFields(t *testing.T, v reflect.Value) {
	t.Helper()
	for i := range v.NumField() {
		f := v.Field(i)
		switch f.Kind() {
		case reflect.Struct:
			fillFields(t, f)
		case reflect.Uint64:
			f.SetUint(uint64(i+1) * 0x0102030405060708)
		case reflect.Uint8, reflect.Uint16, reflect.Uint32:
			f.SetUint(uint64(i + 1))
		case reflect.Int16, reflect.Int64:
			f.SetInt(-int64(i) - 1)
		case reflect.Float32:
			f.SetFloat(float64(i) + 0.5)
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Array:
			for j := range f.Len() {
				if e := f.Index(j); e.CanInt() {
					e.SetInt(int64(j - 40))
				} else {
					e.SetUint(uint64(j + 'D'))
				}
			}
		default:
			t.Fatalf("no value for %s", v.Type().Field(i).Name)
		}
		if f.IsZero() {
			t.Fatalf("%s has no value", v.Type().Field(i).Name)
		}
	}
}

// FuzzReadBinary: what is read is written again as it was.
func FuzzReadBinary(f *testing.F) {
	tr := Trace{Time: 1, User: 2, Resumed: true}
	f.Add(tr.AppendBinary(nil))
	tr.Rhythm = Rhythm{Mark: 1, Pace: 5}
	f.Add(tr.AppendBinary(nil))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var tr Trace
		rest, err := tr.ReadBinary(b)
		if err != nil {
			return
		}
		if got := tr.AppendBinary(nil); string(got)+string(rest) != string(b) {
			t.Errorf("%x became %x", b, got)
		}
	})
}
