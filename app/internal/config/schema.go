package config

import (
	"encoding/json"
	"maps"
	"strings"
)

// Schema returns the JSON Schema of the file, which also tells tools that are not written in Go:
//   - "format": "go-duration" with "formatMinimum" and "formatMaximum", for time.ParseDuration
//   - "patternErrorMessage", the meaning of a pattern in words
//   - "x-restart-required": true, for keys that the service reads only at startup
func Schema() []byte {
	c := Default()
	defaults := c.Values()
	root := section("Configuration file of beacon.")
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "beacon"
	for _, k := range keys {
		node := maps.Clone(k.schema)
		node["description"] = k.description
		node["default"] = defaults[k.name]
		if k.restart {
			node["x-restart-required"] = true
		}
		parent, name := root, k.name
		if outer, inner, nested := strings.Cut(k.name, "."); nested {
			sectionsOfRoot := properties(root)
			if sectionsOfRoot[outer] == nil {
				sectionsOfRoot[outer] = section(sections[outer])
			}
			parent, name = sectionsOfRoot[outer].(map[string]any), inner
		}
		properties(parent)[name] = node
	}
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	// Maps of strings, numbers and booleans have no value that cannot be encoded.
	_ = encoder.Encode(root)
	return []byte(out.String())
}

func section(description string) map[string]any {
	return map[string]any{
		"type": "object", "description": description,
		"properties": map[string]any{}, "additionalProperties": false,
	}
}

func properties(section map[string]any) map[string]any {
	return section["properties"].(map[string]any)
}
