// Command reader responds with the content of a secret file, which it reads for each request.
package main

import (
	"log"
	"net/http"
	"os"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		value, err := os.ReadFile("/run/secrets/reader/password")
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(value)
	})
	log.Fatal(http.ListenAndServe(":8080", nil))
}
