package server

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
)

func TestTextIsStreamedAsTheJSONThatTheEncoderWrites(t *testing.T) {
	alphabet := []string{"a", "\"", "<", "\n", "\x00", "é", "€", "😀", "\xff", "\xe2\x82", "\u2028"}
	for range 200 {
		var text strings.Builder
		for range rand.IntN(6000) {
			text.WriteString(alphabet[rand.IntN(len(alphabet))])
		}
		chunks, length, err := readChunks(iotest.HalfReader(strings.NewReader(text.String())))
		if err != nil || length != text.Len() {
			t.Fatalf("%d of %d bytes are read, %v", length, text.Len(), err)
		}
		var got bytes.Buffer
		out := bufio.NewWriter(&got)
		writeString(out, &chunks)
		_ = out.Flush()
		want, _ := json.Marshal(text.String())
		var decodedGot, decodedWant string
		if json.Unmarshal(got.Bytes(), &decodedGot) != nil || json.Unmarshal(want, &decodedWant) != nil || decodedGot != decodedWant {
			t.Fatalf("%q is written as %q", text.String(), got.String())
		}
	}
}
