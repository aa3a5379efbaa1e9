// Package notes stores short texts in memory.
package notes

import (
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"time"
)

// MaxText is the maximum length of a note, in bytes.
const MaxText = 4096

var (
	// ErrNotFound is returned if no note has the ID.
	ErrNotFound = errors.New("note not found")
	// ErrFull is returned if the number of notes has reached the limit.
	ErrFull = errors.New("the maximum number of notes is reached")
)

// A Note is one stored text.
type Note struct {
	ID      string    `json:"id"`
	Text    string    `json:"text"`
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
}

// A Store holds notes in the order of their creation.
type Store struct {
	mu    sync.RWMutex
	notes []Note
}

// Add stores a new note, or returns ErrFull if there are limit notes.
func (s *Store) Add(text string, limit int) (Note, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.notes) >= limit {
		return Note{}, ErrFull
	}
	now := time.Now().UTC()
	note := Note{ID: rand.Text(), Text: text, Created: now, Updated: now}
	s.notes = append(s.notes, note)
	return note, nil
}

// List returns up to limit notes from an offset, oldest first, and the total number of notes.
func (s *Store) List(offset, limit int) ([]Note, int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	from := min(offset, len(s.notes))
	to := min(from+limit, len(s.notes))
	return append([]Note{}, s.notes[from:to]...), len(s.notes)
}

// Get returns the note with the ID.
func (s *Store) Get(id string) (Note, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if i := s.index(id); i >= 0 {
		return s.notes[i], nil
	}
	return Note{}, ErrNotFound
}

// Replace replaces the text of the note with the ID.
func (s *Store) Replace(id, text string) (Note, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.index(id)
	if i < 0 {
		return Note{}, ErrNotFound
	}
	s.notes[i].Text = text
	s.notes[i].Updated = time.Now().UTC()
	return s.notes[i], nil
}

// Delete deletes the note with the ID.
func (s *Store) Delete(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.index(id)
	if i < 0 {
		return ErrNotFound
	}
	s.notes = slices.Delete(s.notes, i, i+1)
	return nil
}

func (s *Store) index(id string) int {
	return slices.IndexFunc(s.notes, func(n Note) bool { return n.ID == id })
}
