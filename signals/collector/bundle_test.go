package collector

import (
	"bytes"
	"compress/gzip"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/evanw/esbuild/pkg/api"
)

var update = flag.Bool("update", false, "write collector.js and testdata/collected.json anew")

// maxGzipped is how many bytes the bundle may have when it is compressed.
const maxGzipped = 10_000

// bundle makes JavaScript of the TypeScript at entry, of which the exports become
// members of a global object.
func bundle(t *testing.T, entry, global string) []byte {
	t.Helper()
	r := api.Build(api.BuildOptions{
		EntryPoints: []string{entry}, Bundle: true, Format: api.FormatIIFE, GlobalName: global,
		MinifyWhitespace: true, MinifyIdentifiers: true, MinifySyntax: true, Target: api.ES2019,
		Banner: map[string]string{"js": "// SPDX-License-Identifier: Apache-2.0. Made of signals/collector/src: see docs/collector.md."},
	})
	for _, m := range append(r.Errors, r.Warnings...) {
		t.Errorf("%s: %s", entry, m.Text)
	}
	if len(r.OutputFiles) != 1 {
		t.Fatalf("%d files of %s", len(r.OutputFiles), entry)
	}
	return r.OutputFiles[0].Contents
}

// TestFresh: what is committed is what the sources make.
func TestFresh(t *testing.T) {
	made := bundle(t, "src/collector.ts", "wary")
	if *update {
		if err := os.WriteFile("collector.js", made, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(made, Script) {
		t.Error("collector.js is not what src makes: go test ./signals/collector -run Fresh -update")
	}
	if other := bundle(t, "src/typing.ts", "wary"); bytes.Equal(other, Script) {
		t.Error("control: another source makes the same bundle")
	}
}

func TestSmall(t *testing.T) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	z.Write(Script)
	z.Close()
	if b.Len() >= maxGzipped {
		t.Errorf("the bundle has %d bytes gzipped, want fewer than %d", b.Len(), maxGzipped)
	}
	t.Logf("%d bytes, %d gzipped", len(Script), b.Len())
}

// forbidden are names by which a script reaches the network, stores something, asks
// the person, makes code of text, or changes the page.
var forbidden = regexp.MustCompile(`\b(fetch|XMLHttpRequest|sendBeacon|WebSocket|EventSource|Image|importScripts|Worker|RTCPeerConnection|import` +
	`|localStorage|sessionStorage|indexedDB|cookie|caches|requestPermission|eval|Function|innerHTML|appendChild|insertBefore|append|style)\b`)

// TestHarmless: the bundle names nothing that it may not use.
func TestHarmless(t *testing.T) {
	if found := forbidden.FindAllString(string(Script), -1); found != nil {
		t.Errorf("the bundle names %s", strings.Join(found, ", "))
	}
	if forbidden.FindString(`navigator.sendBeacon("/x",document.cookie)`) == "" {
		t.Error("control: a beacon is not found")
	}
}

// TestVersion: page and server name the same version.
func TestVersion(t *testing.T) {
	source, err := os.ReadFile("src/collector.ts")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(source), `export const version = "`+Version+`";`) {
		t.Errorf("src/collector.ts does not have the version %s", Version)
	}
}
