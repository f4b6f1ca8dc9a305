package journal

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// The kill test runs this test binary again as a child that appends numbered facts
// and prints each number when it is acknowledged; the parent kills it with SIGKILL,
// and the next child opens what that has left.
const (
	killDir   = "WARY_KILL_DIR"
	killFirst = "WARY_KILL_FIRST"
	killEarly = "WARY_KILL_EARLY" // the control: acknowledges before it writes
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(killDir); dir != "" {
		if err := killChild(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// killChild appends from four goroutines until it is killed.
func killChild(dir string) error {
	first, err := strconv.ParseUint(os.Getenv(killFirst), 10, 64)
	if err != nil {
		return err
	}
	early := os.Getenv(killEarly) != ""
	l, err := Open(dir, Options{SegmentBytes: 512 << 10})
	if err != nil {
		return err
	}
	fmt.Printf("%d\n", l.Stats().TornBytes)
	var mu sync.Mutex  // guards later and standard output
	var later [][]byte // of the control: acknowledged, not yet written
	failed := make(chan error, 4)
	for g := range uint64(4) {
		go func() {
			for n := first + g; ; n += 4 {
				payload := make([]byte, 600)
				binary.LittleEndian.PutUint64(payload, n)
				if early {
					mu.Lock()
					if later = append(later, payload); len(later) == 64 {
						for _, p := range later {
							if _, err := l.Append(1, time.Now(), p); err != nil {
								failed <- err
							}
						}
						later = later[:0]
					}
					mu.Unlock()
				} else if _, err := l.Append(1, time.Now(), payload); err != nil {
					failed <- err
					return
				}
				mu.Lock()
				_, err := fmt.Printf("%d\n", n)
				mu.Unlock()
				if err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	return <-failed
}

// TestKill kills writers 200 times: nothing that was acknowledged is lost,
// nothing is there twice. The control, which acknowledges first, loses some.
func TestKill(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got, control killed
	t.Run("logs", func(t *testing.T) {
		for range 4 {
			t.Run("log", func(t *testing.T) {
				t.Parallel()
				k := killRounds(t, 50, false)
				mu.Lock()
				defer mu.Unlock()
				got.add(k)
			})
		}
		t.Run("control", func(t *testing.T) {
			t.Parallel()
			control = killRounds(t, 10, true)
		})
	})
	t.Logf("%+v", got)
	if got.lost != 0 || got.doubled != 0 || got.acknowledged < 200 || got.kills != 200 {
		t.Errorf("of %d acknowledged facts %d are lost and %d doubled", got.acknowledged, got.lost, got.doubled)
	}
	t.Logf("control: %+v", control)
	if control.lost == 0 {
		t.Error("the control lost nothing: the test cannot see a loss")
	}
}

type killed struct {
	kills, acknowledged, records, lost, doubled, segments int
	tornBytes                                             uint64
}

func (k *killed) add(o killed) {
	k.kills += o.kills
	k.acknowledged += o.acknowledged
	k.records += o.records
	k.lost += o.lost
	k.doubled += o.doubled
	k.segments += o.segments
	k.tornBytes += o.tornBytes
}

func killRounds(t *testing.T, rounds int, early bool) (k killed) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "log")
	told := map[uint64]bool{}
	for round := range rounds {
		k.tornBytes += killOnce(t, dir, uint64(round)<<32, early, told)
		k.kills++
	}
	l := mustOpen(t, dir, Options{})
	k.tornBytes += l.Stats().TornBytes
	mustClose(t, l)
	seen := map[uint64]int{}
	for rec, err := range Records(dir, Address{}) {
		if err != nil {
			t.Fatal(err)
		}
		seen[binary.LittleEndian.Uint64(rec.Payload)]++
	}
	for n := range told {
		if seen[n] == 0 {
			k.lost++
		}
	}
	for _, n := range seen {
		if n > 1 {
			k.doubled++
		}
		k.records += n
	}
	k.acknowledged = len(told)
	r, err := Verify(dir, nil)
	if err != nil || r.Records != k.records {
		t.Errorf("verify: %+v, %v", r, err)
	}
	k.segments = r.Segments
	return k
}

// killOnce notes what a child acknowledges until it is killed, 5 to 40 ms after
// the first. torn is what the child had to cut when it opened the log.
func killOnce(t *testing.T, dir string, first uint64, early bool, told map[uint64]bool) (torn uint64) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killDir+"="+dir, killFirst+"="+strconv.FormatUint(first, 10))
	if early {
		cmd.Env = append(cmd.Env, killEarly+"=1")
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(out)
	for lines := 0; ; lines++ {
		line, err := in.ReadString('\n')
		if err != nil {
			break // and what is left of a line was not said
		}
		n, err := strconv.ParseUint(line[:len(line)-1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if lines == 0 {
			torn = n
			continue
		}
		told[n] = true
		if lines == 1 {
			time.AfterFunc(time.Duration(5+rand.IntN(36))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		}
	}
	if err := cmd.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Fatalf("the child ended by itself: %v", err)
	}
	return torn
}
