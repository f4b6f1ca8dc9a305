package bolt

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/internal/store"
)

// killedWriter names, in the environment of a child of this test, the file it
// writes until it is killed.
const killedWriter = "WARY_TEST_KILLED_WRITER"

// TestKill kills a process that writes, and finds everything it acknowledged.
func TestKill(t *testing.T) {
	if path := os.Getenv(killedWriter); path != "" {
		writeUntilKilled(path)
		return
	}
	path := filepath.Join(t.TempDir(), "store")
	for round := range 5 {
		acknowledged := killAfter(t, path, 20+13*round)
		s, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range acknowledged {
			_, take := store.Take(t.Context(), s, "taken "+key)
			got, err := s.Get(t.Context(), key)
			if err != nil || string(got[0].Data) != key || !errors.Is(take, store.ErrAbsent) {
				t.Errorf("round %d: %q was acknowledged: holds %q, %v; its other is taken again with %v", round, key, got[0].Data, err, take)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killAfter starts a writer, kills it after so many acknowledgements, and returns
// all that it gave.
func killAfter(t *testing.T, path string, acks int) (keys []string) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKill$")
	child.Env = append(os.Environ(), killedWriter+"="+path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		// A line without its end was cut by the kill; its key is whole or the
		// lookup would fail, so such a line is not counted.
		if key, ok := strings.CutSuffix(lines.Text(), "."); ok {
			keys = append(keys, key)
		}
		if len(keys) == acks {
			_ = child.Process.Kill()
		}
	}
	if err := child.Wait(); err == nil {
		t.Fatal("the writer ended before it was killed")
	}
	if len(keys) < acks {
		t.Fatalf("the writer acknowledged %d of %d", len(keys), acks)
	}
	return keys
}

// writeUntilKilled puts values, takes others, and tells of each pair when both
// are acknowledged.
func writeUntilKilled(path string) {
	s, err := Open(path, Options{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	pairs := func(writer int) {
		for i := 0; ; i++ {
			key := fmt.Sprint(os.Getpid(), "-", writer, "-", i)
			d := store.Until(time.Now().Add(time.Hour))
			err := errors.Join(
				store.PutNew(context.Background(), s, "taken "+key, []byte("v"), d),
				s.Swap(context.Background(), store.Change{Key: "taken " + key, Prev: []byte("v")}, store.Change{Key: key, Next: []byte(key), Deadline: d}))
			if err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
			// One write(2) a line: lines of several writers do not mix.
			fmt.Print(key + ".\n")
		}
	}
	for w := range 3 {
		go pairs(w)
	}
	pairs(3)
}
