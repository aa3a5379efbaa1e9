package notes

import (
	"errors"
	"fmt"
	"sync"
	"testing"
)

func TestANoteIsAddedReplacedAndDeleted(t *testing.T) {
	var s Store
	made, err := s.Add("one", 10)
	if err != nil || made.Text != "one" || made.ID == "" {
		t.Fatalf("%+v, %v", made, err)
	}
	changed, err := s.Replace(made.ID, "two")
	if err != nil || changed.Text != "two" || changed.Created != made.Created {
		t.Errorf("replaced by %+v, %v", changed, err)
	}
	if got, err := s.Get(made.ID); err != nil || got != changed {
		t.Errorf("stored is %+v, %v", got, err)
	}
	if err := s.Delete(made.ID); err != nil {
		t.Error(err)
	}
	_, errGet := s.Get(made.ID)
	_, errReplace := s.Replace(made.ID, "x")
	for _, err := range []error{errGet, errReplace, s.Delete(made.ID)} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("after Delete: %v", err)
		}
	}
}

func TestTheNumberOfNotesIsLimited(t *testing.T) {
	var s Store
	if _, err := s.Add("one", 1); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Add("two", 1); !errors.Is(err, ErrFull) {
		t.Errorf("the error is %v", err)
	}
}

func TestAPageHasTheNotesInOrder(t *testing.T) {
	var s Store
	for i := range 5 {
		if _, err := s.Add(fmt.Sprint(i), 5); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		skip, count int
		want        string
	}{{0, 2, "01"}, {3, 2, "34"}, {4, 9, "4"}, {5, 1, ""}, {99, 1, ""}} {
		page, total := s.List(test.skip, test.count)
		got := ""
		for _, n := range page {
			got += n.Text
		}
		if got != test.want || total != 5 || page == nil {
			t.Errorf("List(%d, %d) is %q of %d", test.skip, test.count, got, total)
		}
	}
}

func TestTheStoreIsSafeForConcurrentUse(t *testing.T) {
	var s Store
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 50 {
				n, err := s.Add("text", 1000)
				if err != nil {
					t.Error(err)
				}
				s.List(0, 10)
				if err := s.Delete(n.ID); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if _, total := s.List(0, 1); total != 0 {
		t.Errorf("%d notes are left", total)
	}
}
