package signoff

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
)

const credentialsFile = "credentials.json"

// settings are the server's address and the key. The key is behind a function, so that printing anything that holds the
// settings cannot show it.
type settings struct {
	url    string // without a trailing slash
	key    func() string
	source string // where the address was found, for messages
}

func (s settings) loopback() bool {
	parts, err := url.Parse(s.url)
	if err != nil {
		return false
	}
	switch parts.Hostname() {
	case "localhost", "127.0.0.1", "::1":
		return true
	}
	return false
}

// masked returns text without the key. A key that is hardly longer than a word cannot be a server's key.
func (s settings) masked(text string) string {
	if key := s.key(); len(key) >= 8 {
		return strings.ReplaceAll(text, key, "[key]")
	}
	return text
}

// findSettings uses the first ones found in arguments, environment and credentials files. A key from a file is only
// sent to the address in the same file. A nil argument was not given.
func findSettings(address, key *string, environ func(string) string, folder string) (settings, error) {
	for name, given := range map[string]*string{"url": address, "api_key": key} {
		if given != nil && strings.TrimSpace(*given) == "" { // never use a server or key other than this one
			return settings{}, unconfigured("The option for %s is empty. Give it a value, or omit it.", name)
		}
	}
	secret := ""
	if key != nil {
		secret = *key
	} else {
		found, err := keyFrom(environ)
		if err != nil {
			return settings{}, err
		}
		secret = found
	}
	if secret != "" {
		checked, err := checkedKey(secret)
		if err != nil {
			return settings{}, err
		}
		secret = checked
	}
	named, source := "", "SIGNOFF_URL"
	if address != nil {
		named, source = *address, "the option WithURL"
	} else {
		named = environ("SIGNOFF_URL")
	}
	if named != "" {
		checked, err := checkedURL(named, source)
		if err != nil {
			return settings{}, err
		}
		named = checked
	}
	if named != "" && secret != "" {
		return made(named, secret, source), nil
	}
	var looked []string
	for _, place := range places(environ, folder) {
		stored, err := stored(place, &looked)
		if err != nil {
			return settings{}, err
		}
		if stored == nil || (named != "" && origin(named) != origin(stored.url)) {
			continue
		}
		if secret != "" {
			return made(stored.url, secret, stored.source), nil
		}
		return *stored, nil
	}
	return settings{}, explain(named, secret != "", looked)
}

func made(address, key, source string) settings {
	return settings{url: address, key: func() string { return key }, source: source}
}

func unconfigured(format string, parts ...any) *NotConfiguredError {
	return &NotConfiguredError{fmt.Sprintf(format, parts...)}
}

func keyFrom(environ func(string) string) (string, error) {
	if key := environ("SIGNOFF_API_KEY"); key != "" {
		return key, nil
	}
	path := environ("SIGNOFF_API_KEY_FILE")
	if path == "" {
		return "", nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return "", unconfigured("SIGNOFF_API_KEY_FILE names %q, which cannot be read (%v).", path, reason(err))
	}
	key := strings.TrimSpace(string(content))
	if key == "" {
		return "", unconfigured("SIGNOFF_API_KEY_FILE names %q, which contains no key.", path)
	}
	return key, nil
}

func reason(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

type place struct {
	path   string
	walked bool // found by walking up from the working directory
}

func places(environ func(string) string, folder string) []place {
	var found []place
	if data := environ("SIGNOFF_DATA"); data != "" {
		found = append(found, place{filepath.Join(data, credentialsFile), false})
	}
	for folder != "" {
		found = append(found, place{filepath.Join(folder, ".signoff", credentialsFile), true})
		parent := filepath.Dir(folder)
		if parent == folder {
			break
		}
		folder = parent
	}
	base := environ("XDG_CONFIG_HOME")
	if base == "" {
		home := environ("HOME")
		if home == "" {
			home = environ("USERPROFILE")
		}
		if home != "" {
			base = filepath.Join(home, ".config")
		}
	}
	if base != "" {
		found = append(found, place{filepath.Join(base, "signoff", credentialsFile), false})
	}
	return found
}

// stored returns the contents of a credentials file; nil, with a line in looked, if it is absent or cannot be trusted.
func stored(where place, looked *[]string) (*settings, error) {
	info, err := os.Stat(where.path)
	var content []byte
	if err == nil {
		content, err = os.ReadFile(where.path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		*looked = append(*looked, where.path+": not found")
		return nil, nil
	}
	if err != nil {
		*looked = append(*looked, fmt.Sprintf("%s: cannot be read (%v)", where.path, reason(err)))
		return nil, nil
	}
	if owner, user, known := owners(info); where.walked && known && !isTrusted(owner, user) {
		*looked = append(*looked, where.path+": belongs to another user, ignored")
		return nil, nil
	}
	var found struct {
		URL    string `json:"url"`
		APIKey string `json:"api_key"`
	}
	if err := json.Unmarshal(content, &found); err != nil || found.URL == "" || found.APIKey == "" {
		return nil, unconfigured("%s is not a credentials file: it must be a JSON object with url and api_key. "+
			"Delete it and run `signoff up` again, or set SIGNOFF_URL and SIGNOFF_API_KEY.", where.path)
	}
	address, err := checkedURL(found.URL, where.path)
	if err != nil {
		return nil, err
	}
	key, err := checkedKey(found.APIKey)
	if err != nil {
		return nil, err
	}
	one := made(address, key, where.path)
	return &one, nil
}

// isTrusted reports whether a file in a parent folder may determine where payloads are sent: only if this user or root
// owns it. Otherwise anyone could put one into a shared folder such as /tmp.
func isTrusted(owner, user int) bool { return owner == user || owner == 0 }

func checkedURL(text, source string) (string, error) {
	text = strings.TrimRight(strings.TrimSpace(text), "/")
	parts, err := url.Parse(text)
	sound := err == nil && (parts.Scheme == "http" || parts.Scheme == "https") && parts.Hostname() != "" &&
		soundPort(parts.Port()) && !strings.ContainsAny(text, " ?#") && !strings.ContainsFunc(text, unprintable)
	if sound && parts.User != nil {
		return "", unconfigured("The address in %s contains a user name, which messages would show: remove it.", source)
	}
	if !sound {
		shown := fmt.Sprintf("%q (%s)", text, source)
		if strings.Contains(text, "@") || strings.Contains(text, "sgn_") { // it may contain a password, or be a key
			shown = "The address in " + source
		}
		return "", unconfigured("%s is not a URL such as http://127.0.0.1:8100.", shown)
	}
	return text, nil
}

func soundPort(text string) bool {
	port, err := strconv.Atoi(text)
	return text == "" || (err == nil && 0 < port && port <= 65535)
}

func unprintable(letter rune) bool { return !unicode.IsPrint(letter) }

func checkedKey(key string) (string, error) {
	key = strings.TrimSpace(key)
	if key == "" || strings.ContainsFunc(key, func(letter rune) bool { return letter <= ' ' || letter > '~' }) {
		return "", unconfigured("The API key contains invalid characters; copy it again.")
	}
	return key, nil
}

// origin returns what identifies the server of an address.
func origin(address string) string {
	parts, err := url.Parse(address)
	if err != nil {
		return address
	}
	host, port := parts.Hostname(), parts.Port()
	if host == "localhost" {
		host = "127.0.0.1"
	}
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[parts.Scheme]
	}
	return strings.Join([]string{parts.Scheme, host, port, parts.EscapedPath()}, " ")
}

func explain(address string, hasKey bool, looked []string) *NotConfiguredError {
	first := "No Signoff server was found."
	wanted := "the option WithURL, SIGNOFF_URL"
	remedy := "Start one with `signoff up` in this folder, or set SIGNOFF_URL and SIGNOFF_API_KEY."
	if address != "" {
		first = fmt.Sprintf("There is no API key for %s.", address)
		wanted = "the option WithAPIKey, SIGNOFF_API_KEY, SIGNOFF_API_KEY_FILE"
		remedy = "Use WithAPIKey, or set SIGNOFF_API_KEY; `signoff keys create` on the server creates one."
	} else if hasKey {
		first = "No Signoff server was found, though there is an API key."
	}
	lines := append([]string{wanted + ": not set"}, looked...)
	return &NotConfiguredError{fmt.Sprintf("%s Searched:\n  - %s\n%s", first, strings.Join(lines, "\n  - "), remedy)}
}
