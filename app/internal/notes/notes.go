// Package notes keeps short texts in memory. They belong to one process and end with it.
package notes

import (
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"time"
)

// MaxText is the longest text of a note, in bytes.
const MaxText = 4096

var (
	// ErrNotFound says that no note has the id.
	ErrNotFound = errors.New("no such note")
	// ErrFull says that there are as many notes as the limit allows.
	ErrFull = errors.New("no room for another note")
)

// A Note is one text.
type Note struct {
	ID      string    `json:"id"`
	Text    string    `json:"text"`
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
}

// A Store holds notes in the order in which they were made.
type Store struct {
	mu    sync.RWMutex
	notes []Note
}

// Add keeps a new note, unless there are limit notes already.
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

// List returns up to count notes after the first skip, oldest first, and how many there are.
func (s *Store) List(skip, count int) ([]Note, int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	from := min(skip, len(s.notes))
	to := min(from+count, len(s.notes))
	return append([]Note{}, s.notes[from:to]...), len(s.notes)
}

// Get returns the note with the id.
func (s *Store) Get(id string) (Note, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if i := s.index(id); i >= 0 {
		return s.notes[i], nil
	}
	return Note{}, ErrNotFound
}

// Replace changes the text of the note with the id.
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

// Delete forgets the note with the id.
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
