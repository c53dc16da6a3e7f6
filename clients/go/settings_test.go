package signoff

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func environ(pairs ...string) func(string) string {
	return func(name string) string {
		for place := 0; place < len(pairs); place += 2 {
			if pairs[place] == name {
				return pairs[place+1]
			}
		}
		return ""
	}
}

func ptr(text string) *string { return &text }

func credentials(t *testing.T, folder, content string) string {
	t.Helper()
	path := filepath.Join(folder, credentialsFile)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFirstSettingsFoundApply(t *testing.T) {
	folder := t.TempDir()
	below := filepath.Join(folder, "a", "b")
	if err := os.MkdirAll(below, 0o700); err != nil {
		t.Fatal(err)
	}
	credentials(t, filepath.Join(folder, ".signoff"), `{"url": "http://127.0.0.1:8100/", "api_key": "filed"}`)
	file := filepath.Join(folder, "key")
	if err := os.WriteFile(file, []byte(" from-a-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, one := range []struct {
		name         string
		address, key *string
		environ      func(string) string
		wanted       string
	}{
		{"the arguments", ptr("http://a.example"), ptr("k"), environ("SIGNOFF_URL", "http://b.example"), "http://a.example k"},
		{"the environment", nil, nil, environ("SIGNOFF_URL", "http://b.example/x/", "SIGNOFF_API_KEY", "e"), "http://b.example/x e"},
		{"a file with the key", nil, nil, environ("SIGNOFF_URL", "http://b.example", "SIGNOFF_API_KEY_FILE", file), "http://b.example from-a-file"},
		{"a parent folder", nil, nil, environ(), "http://127.0.0.1:8100 filed"},
		{"a key for the filed server", nil, ptr("mine"), environ(), "http://127.0.0.1:8100 mine"},
		{"the same server", ptr("http://localhost:8100"), nil, environ(), "http://127.0.0.1:8100 filed"},
	} {
		found, err := findSettings(one.address, one.key, one.environ, below)
		if err != nil {
			t.Errorf("%s: %v", one.name, err)
		} else if got := found.url + " " + found.key(); got != one.wanted {
			t.Errorf("%s: %s, not %s", one.name, got, one.wanted)
		}
	}
}

func TestInvalidSettingsAreNamed(t *testing.T) {
	folder := t.TempDir()
	credentials(t, filepath.Join(folder, ".signoff"), `{"url": "http://127.0.0.1:8100", "api_key": "filedSecret"}`)
	broken := t.TempDir()
	credentials(t, filepath.Join(broken, ".signoff"), `[]`)
	for _, one := range []struct {
		address, key   *string
		environ        func(string) string
		folder, wanted string
	}{
		{ptr(" "), nil, environ(), folder, "option for url is empty"},
		{nil, ptr(""), environ(), folder, "option for api_key is empty"},
		{ptr("http://other.example"), nil, environ(), folder, "no API key for http://other.example"},
		{nil, ptr("k"), environ(), t.TempDir(), "though there is an API key"},
		{nil, nil, environ(), t.TempDir(), "Start one with `signoff up`"},
		{nil, nil, environ(), broken, "is not a credentials file"},
		{ptr("ftp://a.example"), ptr("k"), environ(), folder, "is not a URL"},
		{ptr("http://user:hunter2@a.example"), ptr("k"), environ(), folder, "contains a user name"},
		{ptr("hunter2@a.example"), ptr("k"), environ(), folder, "The address in the option WithURL is not a URL"},
		{ptr("sgn_service_AbC_hunter2"), ptr("k"), environ(), folder, "The address in the option WithURL is not a URL"},
		{ptr("http://a.example?x=1"), ptr("k"), environ(), folder, "is not a URL"},
		{ptr("http://a.example:65536"), ptr("k"), environ(), folder, "is not a URL"},
		{ptr("http://a.example:0"), ptr("k"), environ(), folder, "is not a URL"},
		{ptr("http://a.example"), ptr("two\nlines"), environ(), folder, "invalid characters"},
		{ptr("http://a.example"), nil, environ("SIGNOFF_API_KEY_FILE", folder+"/none"), folder, "cannot be read"},
	} {
		_, err := findSettings(one.address, one.key, one.environ, one.folder)
		var refused *NotConfiguredError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), one.wanted) {
			t.Errorf("expected %q, got %v", one.wanted, err)
		} else if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "filedSecret") {
			t.Errorf("a secret stands in %v", err)
		}
	}
}

func TestFileOfAnotherUserIsNotTrusted(t *testing.T) {
	if isTrusted(1001, 1000) || !isTrusted(1000, 1000) || !isTrusted(0, 1000) {
		t.Error("only our own files and those of root choose the server")
	}
}

func TestPrintedValuesContainNoKey(t *testing.T) {
	const secret = "sgn_service_hunter2hunter2"
	client, err := New(WithURL("http://127.0.0.1:1"), WithAPIKey(secret))
	if err != nil {
		t.Fatal(err)
	}
	agent, err := NewAgent("a", WithClient(client))
	if err != nil {
		t.Fatal(err)
	}
	key := Key{APIKey: secret, KeyID: "key_1"}
	var logged strings.Builder
	log := slog.New(slog.NewJSONHandler(&logged, nil))
	log.Info("x", "client", client, "key", key, "pointer", &key)
	text := logged.String()
	for _, value := range []any{client, *client, key, &key, []Key{key}, map[string]any{"k": key}, agent, client.connection, client.connection.settings, client.Tasks} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			text += fmt.Sprintf(verb, value) + "\n"
		}
	}
	hexadecimal := fmt.Sprintf("%x", secret)
	if strings.Contains(text, secret) || strings.Contains(text, hexadecimal) || strings.Contains(text, "hunter2") {
		t.Errorf("the key is printed:\n%s", text)
	}
	if !strings.Contains(text, "key_1") {
		t.Error("the rest of a key is not printed")
	}
}
