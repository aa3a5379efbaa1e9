package server

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"unicode/utf8"
)

// maxChunk is the maximum size of a part of a body in memory, in bytes.
const maxChunk = 64 << 10

// readChunks reads a body into parts, without copies: a single growing slice would need up to three times
// the memory.
func readChunks(r io.Reader) (net.Buffers, int, error) {
	var chunks net.Buffers
	total := 0
	for size := 512; ; size = min(2*size, maxChunk) {
		chunk := make([]byte, 0, size)
		for len(chunk) < size {
			n, err := r.Read(chunk[len(chunk):size])
			chunk = chunk[:len(chunk)+n]
			total += n
			if err == io.EOF {
				return append(chunks, chunk), total, nil
			}
			if err != nil {
				return nil, total, err
			}
		}
		chunks = append(chunks, chunk)
	}
}

// stream responds with the JSON that write writes. Unlike respond, it does not hold it in memory.
func stream(w http.ResponseWriter, write func(out *bufio.Writer)) {
	setJSONHeader(w, "application/json")
	w.WriteHeader(http.StatusOK)
	out := bufio.NewWriter(w)
	write(out)
	// An error means that the client has closed the connection.
	_ = out.Flush()
}

// writeString writes text as a JSON string.
func writeString(out *bufio.Writer, text io.Reader) {
	_ = out.WriteByte('"')
	buffer := make([]byte, 4<<10)
	kept := 0
	for {
		n, err := text.Read(buffer[kept:])
		read := buffer[:kept+n]
		end := len(read)
		if err == nil {
			end = wholeRunes(read)
		}
		quoted := encode(string(read[:end]))
		if _, closed := out.Write(quoted[1 : len(quoted)-1]); err != nil || closed != nil {
			break
		}
		kept = copy(buffer, read[end:])
	}
	_ = out.WriteByte('"')
}

// encode returns the JSON of a value that has no error: text, numbers, times.
func encode(value any) []byte {
	encoded, _ := json.Marshal(value)
	return encoded
}

// wholeRunes returns the length of the text without an incomplete UTF-8 sequence at its end.
func wholeRunes(text []byte) int {
	for i := len(text) - 1; i >= max(0, len(text)-utf8.UTFMax); i-- {
		if utf8.RuneStart(text[i]) {
			if !utf8.FullRune(text[i:]) {
				return i
			}
			break
		}
	}
	return len(text)
}
