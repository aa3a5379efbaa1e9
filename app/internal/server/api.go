package server

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"beacon/internal/identity"
	"beacon/internal/notes"
	"beacon/internal/version"
)

// API returns the handler of the API port. Probes are not counted, logged, traced or subject to
// faults.
func (s *Server) API() http.Handler {
	api := http.NewServeMux()
	api.HandleFunc("GET /{$}", s.root)
	api.HandleFunc("GET /version", s.version)
	api.HandleFunc("GET /api/relay", s.relay)
	api.HandleFunc("POST /api/v1/echo", s.echo)
	api.HandleFunc("GET /api/v1/work", s.work)
	api.HandleFunc("GET /api/v1/notes", s.listNotes)
	api.HandleFunc("POST /api/v1/notes", s.addNote)
	api.HandleFunc("GET /api/v1/notes/{id}", s.getNote)
	api.HandleFunc("PUT /api/v1/notes/{id}", s.replaceNote)
	api.HandleFunc("DELETE /api/v1/notes/{id}", s.deleteNote)

	faulty := s.faults.Wrap(api, func(w http.ResponseWriter, r *http.Request, status int) {
		problem(w, r, status, "injected fault")
	})
	port := http.NewServeMux()
	s.probes(port)
	port.Handle("/", matchRoute(api, s.observe(s.admit(unmatched(api, faulty)))))
	return s.identify(port)
}

func (s *Server) root(w http.ResponseWriter, _ *http.Request) {
	respond(w, http.StatusOK, struct {
		identity.Identity
		Message string `json:"message"`
	}{s.identity, s.config.Get().Message})
}

func (s *Server) version(w http.ResponseWriter, _ *http.Request) {
	respond(w, http.StatusOK, map[string]string{
		"version":   s.identity.Version,
		"revision":  version.Revision,
		"goversion": version.Go(),
	})
}

// echo responds with the request's body.
func (s *Server) echo(w http.ResponseWriter, r *http.Request) {
	body, length, err := readChunks(r.Body)
	if err != nil {
		s.badBody(w, r, err)
		return
	}
	stream(w, func(out *bufio.Writer) {
		_, _ = out.WriteString(`{"body":`)
		writeString(out, &body)
		_, _ = fmt.Fprintf(out, `,"bytes":%d,"content_type":%s}`+"\n",
			length, encode(r.Header.Get("Content-Type")))
	})
}

// work uses CPU: it hashes the previous SHA-256 hash for the given number of iterations.
func (s *Server) work(w http.ResponseWriter, r *http.Request) {
	limit := s.config.Get().Limits.WorkIterations
	iterations, err := intParam(r, "iterations", min(10_000, limit), 1, limit)
	if err != nil {
		problem(w, r, http.StatusBadRequest, err.Error())
		return
	}
	start := time.Now()
	var sum [sha256.Size]byte
	for i := range iterations {
		sum = sha256.Sum256(sum[:])
		if i%10_000 == 0 && r.Context().Err() != nil {
			panic(http.ErrAbortHandler)
		}
	}
	respond(w, http.StatusOK, map[string]any{
		"iterations":  iterations,
		"digest":      hex.EncodeToString(sum[:]),
		"duration_ms": float64(time.Since(start).Microseconds()) / 1000,
	})
}

func (s *Server) listNotes(w http.ResponseWriter, r *http.Request) {
	const maxPage = 1000
	limit, errLimit := intParam(r, "limit", 100, 1, maxPage)
	offset, errOffset := intParam(r, "offset", 0, 0, 1<<30)
	if err := errors.Join(errLimit, errOffset); err != nil {
		problem(w, r, http.StatusBadRequest, err.Error())
		return
	}
	found, total := s.notes.List(offset, limit)
	stream(w, func(out *bufio.Writer) {
		_, _ = out.WriteString(`{"notes":[`)
		for i, note := range found {
			if i > 0 {
				_ = out.WriteByte(',')
			}
			_, _ = out.Write(encode(note))
		}
		_, _ = fmt.Fprintf(out, `],"total":%d}`+"\n", total)
	})
}

func (s *Server) addNote(w http.ResponseWriter, r *http.Request) {
	text, ok := s.noteText(w, r)
	if !ok {
		return
	}
	note, err := s.notes.Add(text, s.config.Get().Limits.Notes)
	if err != nil {
		problem(w, r, http.StatusInsufficientStorage, err.Error())
		return
	}
	w.Header().Set("Location", "/api/v1/notes/"+note.ID)
	respond(w, http.StatusCreated, note)
}

func (s *Server) getNote(w http.ResponseWriter, r *http.Request) {
	note, err := s.notes.Get(r.PathValue("id"))
	if err != nil {
		problem(w, r, http.StatusNotFound, err.Error())
		return
	}
	respond(w, http.StatusOK, note)
}

func (s *Server) replaceNote(w http.ResponseWriter, r *http.Request) {
	text, ok := s.noteText(w, r)
	if !ok {
		return
	}
	note, err := s.notes.Replace(r.PathValue("id"), text)
	if err != nil {
		problem(w, r, http.StatusNotFound, err.Error())
		return
	}
	respond(w, http.StatusOK, note)
}

func (s *Server) deleteNote(w http.ResponseWriter, r *http.Request) {
	if err := s.notes.Delete(r.PathValue("id")); err != nil {
		problem(w, r, http.StatusNotFound, err.Error())
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// noteText returns the text of a note in the request's body. If it is invalid, noteText responds
// with a problem and returns false.
func (s *Server) noteText(w http.ResponseWriter, r *http.Request) (string, bool) {
	if mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); mediaType != "application/json" {
		problem(w, r, http.StatusUnsupportedMediaType, "the body must be application/json")
		return "", false
	}
	var body struct {
		Text string `json:"text"`
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxNoteBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&body); err != nil {
		s.badBody(w, r, err)
		return "", false
	}
	if _, err := decoder.Token(); err != io.EOF {
		problem(w, r, http.StatusBadRequest, "the body must be one JSON object")
		return "", false
	}
	if len(body.Text) == 0 || len(body.Text) > notes.MaxText {
		problem(w, r, http.StatusUnprocessableEntity,
			fmt.Sprintf("text has %d bytes (allowed: 1 to %d)", len(body.Text), notes.MaxText))
		return "", false
	}
	return body.Text, true
}

// maxNoteBody is the maximum size of a note's JSON, in bytes. An escaped byte of its text takes 6 bytes.
const maxNoteBody = 6*notes.MaxText + 4<<10

func (s *Server) badBody(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, errBodyBytes) {
		s.refuse(w, r, tooManyBodyBytes)
		return
	}
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		problem(w, r, http.StatusRequestEntityTooLarge,
			fmt.Sprintf("the body is longer than %d bytes", tooLarge.Limit))
		return
	}
	problem(w, r, http.StatusBadRequest, "the body cannot be read: "+err.Error())
}

func intParam(r *http.Request, name string, fallback, low, high int) (int, error) {
	raw := r.URL.Query().Get(name)
	if raw == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(raw)
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("%s: %.40q is not allowed (allowed: an integer from %d to %d)",
			name, raw, low, high)
	}
	return n, nil
}
