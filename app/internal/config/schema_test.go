package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	errorkind "github.com/santhosh-tekuri/jsonschema/v6/kind"
	"go.yaml.in/yaml/v3"
)

func TestTheSchemaFileIsThatOfTheKeys(t *testing.T) {
	file, err := os.ReadFile("../../config.schema.json")
	if err != nil || !bytes.Equal(file, Schema()) {
		t.Errorf("config.schema.json is outdated, run `go generate`: %v", err)
	}
}

func TestTheSchemaAllowsTheValuesThatTheServiceAccepts(t *testing.T) {
	schema := compile(t)
	for name, value := range values {
		if err := validate(t, schema, document(name, value.good)); err != nil {
			t.Errorf("%s: %s is not allowed: %v", name, value.good, err)
		}
		for _, bad := range value.bad {
			if err := validate(t, schema, document(name, bad)); err == nil {
				t.Errorf("%s: %s is allowed", name, bad)
			}
		}
	}
	c := Default()
	defaults, err := yaml.Marshal(nest(c.Values()))
	if err == nil {
		err = validate(t, schema, string(defaults))
	}
	if err != nil {
		t.Errorf("the defaults are not allowed: %v", err)
	}
	for _, unknown := range []string{"dbug: true", "faults: {rate: 1}", "faults: 3", "[]"} {
		if err := validate(t, schema, unknown); err == nil {
			t.Errorf("%s is allowed", unknown)
		}
	}
}

func validate(t *testing.T, schema *jsonschema.Schema, text string) error {
	t.Helper()
	var value any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	return schema.Validate(value)
}

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	compiler.RegisterFormat(&jsonschema.Format{Name: "go-duration", Validate: func(v any) error {
		_, err := goDuration(v)
		return err
	}})
	compiler.AssertVocabs()
	compiler.RegisterVocabulary(&jsonschema.Vocabulary{
		URL: "https://beacon.test/duration-bounds",
		Compile: func(_ *jsonschema.CompilerContext, node map[string]any) (jsonschema.SchemaExt, error) {
			low, errLow := goDuration(node["formatMinimum"])
			high, errHigh := goDuration(node["formatMaximum"])
			if node["format"] != "go-duration" {
				return nil, nil
			}
			return durationBounds{low, high}, errors.Join(errLow, errHigh)
		},
	})
	if err := compiler.AddResource("beacon.json", document); err != nil {
		t.Fatal(err)
	}
	return compiler.MustCompile("beacon.json")
}

type durationBounds struct{ low, high time.Duration }

func (b durationBounds) Validate(ctx *jsonschema.ValidatorContext, value any) {
	if d, err := goDuration(value); err != nil || d < b.low || d > b.high {
		ctx.AddError(&errorkind.Format{Got: value, Want: "go-duration", Err: errors.New("out of bounds")})
	}
}

func goDuration(value any) (time.Duration, error) {
	text, ok := value.(string)
	if !ok {
		return 0, fmt.Errorf("%v is no text", value)
	}
	return time.ParseDuration(text)
}
