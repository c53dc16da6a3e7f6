package signoff

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

const idPattern = `[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}`

var (
	wholeID = regexp.MustCompile(`^` + idPattern + `$`)
	askedID = regexp.MustCompile(`^/v1/(intents|tasks|deliveries)/(` + idPattern + `)(?:/|$)`)
)

// freshKey returns a new idempotency key: a random UUID.
func freshKey() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand panics first
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	text := hex.EncodeToString(b[:])
	return strings.Join([]string{text[:8], text[8:12], text[12:16], text[16:20], text[20:]}, "-")
}

// sameSubject reports whether two ids name the same intent, or steps of it: they differ only in the last four digits.
func sameSubject(said, asked string) bool {
	return len(said) == len(asked) && len(said) > 4 && strings.EqualFold(said[:len(said)-4], asked[:len(asked)-4])
}

// checkSubject returns a WrongResponseError if the response names another intent, task or delivery than the path.
func checkSubject(path string, answer Object) error {
	asked := askedID.FindStringSubmatch(path)
	if asked == nil {
		return nil
	}
	kind, wanted := asked[1], asked[2]
	names := []string{"intent_id"}
	if kind == "tasks" {
		names = []string{"task_id", "intent_id"}
	}
	if strings.HasSuffix(path, "/retry") || strings.HasSuffix(path, "/rerun") {
		names = []string{"retry_of", "rerun_of"} // the response is about the new intent, which names the original
	}
	for _, part := range subjects(answer) {
		for _, name := range names {
			said, _ := part[name].(string)
			if said == "" {
				continue
			}
			exact := name == "task_id" && !strings.HasSuffix(wanted, "0000")
			if wholeID.MatchString(said) &&
				(!sameSubject(said, wanted) || (exact && !strings.EqualFold(said, wanted))) {
				return &WrongResponseError{fmt.Sprintf("Asked for %s %s, got a response for %s.",
					map[string]string{"intents": "intent", "tasks": "task", "deliveries": "delivery"}[kind], wanted, said)}
			}
			break
		}
	}
	return nil
}

// subjects returns the parts of a response that name its subject.
func subjects(answer Object) []Object {
	parts := []Object{answer}
	for _, name := range []string{"intent", "task"} {
		if part, ok := answer[name].(map[string]any); ok {
			parts = append(parts, part)
		}
	}
	for _, name := range []string{"events", "messages"} {
		if list, ok := answer[name].([]any); ok && len(list) > 0 {
			if part, ok := list[0].(map[string]any); ok {
				parts = append(parts, part)
			}
		}
	}
	return parts
}

// pathWith returns a path with ids as segments, one for each %s.
func pathWith(format string, ids ...string) (string, error) {
	segments := make([]any, len(ids))
	for place, id := range ids {
		if strings.Trim(id, ". ") == "" {
			return "", fmt.Errorf("signoff: an id must not be empty, as %q is", id)
		}
		segments[place] = url.PathEscape(id)
	}
	return fmt.Sprintf(format, segments...), nil
}

// agentPath returns an agent's address as the one to three path segments of the server's routes.
func agentPath(address string) (string, error) {
	bare := strings.TrimPrefix(strings.TrimSpace(address), "agent://")
	if bare == "" {
		return "", errors.New("signoff: an agent's name or address must not be empty")
	}
	segments := strings.Split(bare, "/")
	for place, segment := range segments {
		if strings.Trim(segment, ". ") == "" { // such a path would be another one
			return "", fmt.Errorf("signoff: an agent's address has no empty part and none of dots only, unlike %q", address)
		}
		segments[place] = url.PathEscape(segment)
	}
	return strings.Join(segments, "/"), nil
}
