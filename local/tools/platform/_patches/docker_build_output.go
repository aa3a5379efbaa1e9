package internal

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	cfgtypes "github.com/docker/cli/cli/config/types"
)

// minMaskedLine is the length from which a line of a secret is masked on its own.
const minMaskedLine = 4

// buildOutput masks the secrets in the output of a build. Its zero value masks nothing.
type buildOutput struct {
	mask  *strings.Replacer
	ended chan struct{}
}

func newBuildOutput(auths map[string]cfgtypes.AuthConfig, opts BuildOptions) buildOutput {
	secrets := []string{}
	for _, secret := range opts.Secrets {
		secrets = append(secrets, secret.Env)
	}
	for _, auth := range auths {
		secrets = append(secrets, auth.Password)
	}
	return buildOutput{newMask(secrets), make(chan struct{})}
}

// newMask replaces secrets, and each of their lines, because output has one line at a time.
func newMask(secrets []string) *strings.Replacer {
	texts := []string{}
	for _, secret := range secrets {
		texts = append(texts, secret, strings.TrimSpace(secret))
		for line := range strings.Lines(secret) {
			if line = strings.TrimSpace(line); len(line) >= minMaskedLine {
				texts = append(texts, line)
			}
		}
	}
	// At the same position, the replacer uses the first text that matches.
	slices.SortFunc(texts, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	pairs := []string{}
	for _, text := range texts {
		if text != "" {
			pairs = append(pairs, text, "[secret]")
		}
	}
	return strings.NewReplacer(pairs...)
}

func (o *buildOutput) masked(text string) string {
	if o.mask == nil {
		return text
	}
	return o.mask.Replace(text)
}

func (o *buildOutput) maskedError(err error) error {
	if text := o.masked(err.Error()); text != err.Error() {
		return errors.New(text)
	}
	return err
}

// end records that all output is logged.
func (o *buildOutput) end() {
	if o.ended != nil {
		close(o.ended)
	}
}

// wait returns when all output is logged.
func (o *buildOutput) wait() {
	if o.ended != nil {
		<-o.ended
	}
}

// failedSteps is the part of the output with the failed steps, or all of it: the output was shown
// line by line already. BuildKit's own summary lacks lines that arrived in parts.
func failedSteps(output string) string {
	failed := map[string]bool{}
	for line := range strings.Lines(output) {
		step, text, _ := strings.Cut(line, " ")
		if strings.HasPrefix(step, "#") && strings.HasPrefix(text, "ERROR: ") {
			failed[step] = true
		}
	}
	if len(failed) == 0 {
		return output
	}
	steps := strings.Builder{}
	for line := range strings.Lines(output) {
		if step, _, _ := strings.Cut(line, " "); failed[step] {
			steps.WriteString(line)
		}
	}
	return steps.String()
}
