package signoff

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	hiddenMark    = "(hidden) "
	deepestNested = 30
)

// callRequest is one call that people are asked about. Its key is derived only from the call: its name, all its
// arguments in canonical JSON, and the caller's own key. So a program that crashed and makes the same call again
// finds its earlier request, and a call with other arguments never does. The Python SDK computes the same keys.
type callRequest struct {
	name     string
	asked    map[string]any // the arguments as JSON when the call was made
	payload  map[string]any // what is sent: hidden arguments are replaced by a hash under the API key
	identity string
}

func newCallRequest(name string, asked map[string]any, key string, hide []string, secret string) *callRequest {
	payload := maps.Clone(asked)
	for _, argument := range hide {
		if value, there := asked[argument]; there {
			payload[argument] = hiddenValue(name, argument, value, secret)
		}
	}
	sum := sha256.Sum256([]byte(canonicalJSON([]any{name, key, payload})))
	return &callRequest{name, asked, payload, hex.EncodeToString(sum[:])}
}

// key returns the idempotency key. askedBefore is how many requests for the same call have already been used.
func (c *callRequest) key(askedBefore int) string {
	if askedBefore > 0 {
		return fmt.Sprintf("call-%s-%d", c.identity, askedBefore)
	}
	return "call-" + c.identity
}

// approved returns the arguments that people changed, from the payload that they approved.
func (c *callRequest) approved(payload map[string]any) (edited map[string]any, err error) {
	var odd []string
	for name := range c.payload {
		if _, there := payload[name]; !there {
			odd = append(odd, name)
		}
	}
	for name := range payload {
		if _, there := c.payload[name]; !there {
			odd = append(odd, name)
		}
	}
	if len(odd) > 0 {
		slices.Sort(odd)
		return nil, invalidEdit("The edit of %s adds or removes arguments: %s.", c.name, strings.Join(odd, ", "))
	}
	edited = map[string]any{}
	for name, value := range payload {
		shown := c.payload[name]
		switch {
		case sameJSON(value, shown):
		case isHidden(shown):
			return nil, invalidEdit("The argument %s of %s is hidden and cannot be edited.", name, c.name)
		default:
			edited[name] = value
		}
	}
	return edited, nil
}

// askedArguments returns the arguments as JSON; an error names the first one that cannot be sent.
func askedArguments(name string, args any) (map[string]any, error) {
	content, err := encoded(args)
	if err != nil {
		return nil, fmt.Errorf("signoff: the arguments of %s cannot be sent for approval: %w", name, err)
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber()
	whole, fault := plainJSON(decoder, "", -1)
	if fault != "" {
		return nil, fmt.Errorf("signoff: the arguments of %s cannot be sent for approval: %s", name, fault)
	}
	asked, ok := whole.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("signoff: the arguments of %s are not a JSON object with their names", name)
	}
	for argument, value := range asked {
		if isHidden(value) {
			return nil, fmt.Errorf("signoff: the argument %s of %s looks like a hidden one: %q is reserved", argument, name, hiddenMark)
		}
	}
	return asked, nil
}

// plainJSON reads a value with its numbers as float64, as people see it; or it says which part of the value would not
// be shown, or not be read by every language, unchanged.
func plainJSON(from *json.Decoder, where string, depth int) (any, string) {
	if depth > deepestNested {
		return nil, fmt.Sprintf("%s is nested deeper than %d levels", where, deepestNested)
	}
	token, err := from.Token()
	if err != nil {
		return nil, err.Error()
	}
	switch token := token.(type) {
	case json.Number:
		number, err := token.Float64()
		switch {
		case err != nil || number == math.Trunc(number) && math.Abs(number) >= 1<<53:
			return nil, where + " is an integer beyond 2^53 - 1 (send it as text)"
		case !sameNumber(token.String(), number):
			return nil, where + " has more digits than a number keeps (send it as text)"
		}
		return number, ""
	case json.Delim:
		if token == '[' {
			return plainList(from, where, depth)
		}
		return plainObject(from, where, depth)
	}
	return token, ""
}

func plainList(from *json.Decoder, where string, depth int) (any, string) {
	list := []any{}
	for from.More() {
		item, fault := plainJSON(from, fmt.Sprintf("%s[%d]", where, len(list)), depth+1)
		if fault != "" {
			return nil, fault
		}
		list = append(list, item)
	}
	_, _ = from.Token() // its end
	return list, ""
}

func plainObject(from *json.Decoder, where string, depth int) (any, string) {
	object := map[string]any{}
	for from.More() {
		token, err := from.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, fmt.Sprintf("%s is not valid JSON: %v", where, err)
		}
		inner := fmt.Sprintf("%s.%.40s", where, name)
		if where == "" {
			inner = "the argument " + name
		}
		if _, there := object[name]; there {
			// Which of the two counts depends on the reader.
			return nil, inner + " is there twice"
		}
		item, fault := plainJSON(from, inner, depth+1)
		if fault != "" {
			return nil, fault
		}
		object[name] = item
	}
	_, _ = from.Token() // its end
	return object, ""
}

// sameNumber reports whether a number's text has no more precision than the number.
func sameNumber(text string, number float64) bool {
	written, scale, ok := digitsOf(text)
	kept, same, _ := digitsOf(strconv.FormatFloat(number, 'e', -1, 64))
	return ok && written == kept && scale == same
}

// digitsOf returns a number's digits without leading and trailing zeros, and the power of ten of the last one.
func digitsOf(text string) (digits string, scale int, ok bool) {
	mantissa, exponent, scaled := strings.Cut(strings.ToLower(strings.TrimPrefix(text, "-")), "e")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits = strings.TrimLeft(whole+fraction, "0")
	if digits == "" {
		return "", 0, true
	}
	if scaled {
		power, err := strconv.Atoi(exponent)
		if err != nil {
			return "", 0, false
		}
		scale = power
	}
	short := strings.TrimRight(digits, "0")
	return short, scale - len(fraction) + len(digits) - len(short), true
}

func isHidden(value any) bool {
	text, ok := value.(string)
	return ok && strings.HasPrefix(text, hiddenMark)
}

func hiddenValue(name, argument string, value any, secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(canonicalJSON([]any{name, argument, value})))
	return hiddenMark + hex.EncodeToString(mac.Sum(nil))[:32]
}

func sameJSON(left, right any) bool { return canonicalJSON(left) == canonicalJSON(right) }

// canonicalJSON returns the same text for equal JSON, in every language: names sorted by code points, no spaces,
// numbers as Python writes them, nothing escaped that JSON does not require.
func canonicalJSON(value any) string {
	var text strings.Builder
	writeCanonical(&text, value)
	return text.String()
}

func writeCanonical(into *strings.Builder, value any) {
	switch value := value.(type) {
	case nil:
		into.WriteString("null")
	case bool:
		into.WriteString(strconv.FormatBool(value))
	case string:
		writeQuoted(into, value)
	case float64:
		into.WriteString(numberText(value))
	case []any:
		into.WriteByte('[')
		for place, item := range value {
			if place > 0 {
				into.WriteByte(',')
			}
			writeCanonical(into, item)
		}
		into.WriteByte(']')
	case map[string]any:
		into.WriteByte('{')
		for place, name := range slices.Sorted(maps.Keys(value)) {
			if place > 0 {
				into.WriteByte(',')
			}
			writeQuoted(into, name)
			into.WriteByte(':')
			writeCanonical(into, value[name])
		}
		into.WriteByte('}')
	case Object:
		writeCanonical(into, map[string]any(value))
	default:
		panic(fmt.Sprintf("signoff: %T is not decoded JSON", value))
	}
}

func numberText(number float64) string {
	switch {
	case number == 0:
		return "0"
	case number == math.Trunc(number):
		return strconv.FormatFloat(number, 'f', 0, 64)
	case math.Abs(number) < 1e-4:
		return strconv.FormatFloat(number, 'e', -1, 64)
	}
	return strconv.FormatFloat(number, 'f', -1, 64)
}

// writeQuoted replaces encoding/json's quoting, which also escapes U+2028 and U+2029, and whose short escapes for
// control characters depend on the version of Go.
func writeQuoted(into *strings.Builder, text string) {
	into.WriteByte('"')
	for _, letter := range text {
		switch {
		case letter == '"' || letter == '\\':
			into.WriteByte('\\')
			into.WriteRune(letter)
		case letter >= ' ':
			into.WriteRune(letter)
		default:
			if place := strings.IndexRune("\b\t\n\f\r", letter); place >= 0 {
				into.WriteByte('\\')
				into.WriteByte("btnfr"[place])
			} else {
				fmt.Fprintf(into, `\u%04x`, letter)
			}
		}
	}
	into.WriteByte('"')
}

// cutText cuts text to a number of letters.
func cutText(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most])
}
