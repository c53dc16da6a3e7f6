package signoff

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// Object is a JSON object.
type Object map[string]any

// Decode stores the object in the value that v points to, like json.Unmarshal.
func (o Object) Decode(v any) error {
	content, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return json.Unmarshal(content, v)
}

// parsed returns a response's JSON object; ok is false for anything else.
func parsed(body []byte) (Object, bool) {
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return nil, false
	}
	object, ok := value.(map[string]any)
	return object, ok
}

// read stores JSON in a type of this package. It tolerates responses from servers of other releases: a missing or
// malformed value is left empty, an unknown one is dropped.
func read[T any](value any) T {
	var into T
	fill(reflect.ValueOf(&into).Elem(), value)
	return into
}

// readList returns the list under a name; empty if there is none.
func readList[T any](answer Object, name string) []T {
	items, _ := answer[name].([]any)
	found := make([]T, 0, len(items))
	for _, item := range items {
		found = append(found, read[T](item))
	}
	return found
}

// inner returns the object under a name, or the response itself.
func inner(answer Object, name string) Object {
	if found, ok := answer[name].(map[string]any); ok {
		return found
	}
	return answer
}

// keepOddEnding gives an intent whose ending is not text an ending that no rule knows; without one, the intent would
// look as if nobody had been asked.
func keepOddEnding(intent *Intent, value any) {
	object, _ := value.(map[string]any)
	if ending, sent := object["ending"]; sent {
		if _, text := ending.(string); !text {
			intent.Ending = "unreadable"
		}
	}
}

var timeType = reflect.TypeFor[time.Time]()

func fill(into reflect.Value, value any) {
	if value == nil {
		return
	}
	switch into.Kind() {
	case reflect.Struct:
		if into.Type() == timeType {
			if text, ok := value.(string); ok {
				if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
					into.Set(reflect.ValueOf(at))
				}
			}
			return
		}
		fillStruct(into, value)
		if intent, ok := into.Addr().Interface().(*Intent); ok {
			keepOddEnding(intent, value)
		}
	case reflect.Pointer:
		if _, ok := value.(map[string]any); ok {
			into.Set(reflect.New(into.Type().Elem()))
			fill(into.Elem(), value)
		}
	case reflect.Slice:
		items, ok := value.([]any)
		if !ok {
			return
		}
		list := reflect.MakeSlice(into.Type(), 0, len(items))
		for _, item := range items {
			one := reflect.New(into.Type().Elem()).Elem()
			fill(one, item)
			list = reflect.Append(list, one)
		}
		into.Set(list)
	case reflect.Map:
		object, ok := value.(map[string]any)
		if !ok {
			return
		}
		found := reflect.MakeMapWithSize(into.Type(), len(object))
		for name, item := range object {
			one := reflect.New(into.Type().Elem()).Elem()
			fill(one, item)
			found.SetMapIndex(reflect.ValueOf(name), one)
		}
		into.Set(found)
	case reflect.Interface:
		into.Set(reflect.ValueOf(value))
	default:
		fillPlain(into, value)
	}
}

func fillPlain(into reflect.Value, value any) {
	switch into.Kind() {
	case reflect.String:
		if text, ok := textOf(value); ok {
			into.SetString(text)
		}
	case reflect.Bool:
		if truth, ok := value.(bool); ok {
			into.SetBool(truth)
		}
	case reflect.Int:
		if number, ok := value.(float64); ok && number == math.Trunc(number) && math.Abs(number) < 1<<53 {
			into.SetInt(int64(number))
		}
	case reflect.Float64:
		if number, ok := value.(float64); ok {
			into.SetFloat(number)
		}
	}
}

// textOf returns the text; for an actor given as an object, its display name.
func textOf(value any) (string, bool) {
	switch value := value.(type) {
	case string:
		return value, true
	case map[string]any:
		for _, name := range []string{"name", "email", "address", "id"} {
			if text := textOr(value[name], ""); text != "" {
				return text, true
			}
		}
		return "", false
	case float64, bool:
		content, err := json.Marshal(value)
		return string(content), err == nil
	}
	return "", false
}

var actorType = reflect.TypeFor[Actor]()

func fillStruct(into reflect.Value, value any) {
	if text, ok := value.(string); ok && into.Type() == actorType {
		value = map[string]any{"id": text}
	}
	object, ok := value.(map[string]any)
	if !ok {
		return
	}
	for place := range into.NumField() {
		field := into.Type().Field(place)
		if field.Anonymous && field.Type.Kind() == reflect.Struct {
			fillStruct(into.Field(place), value)
		} else if name := jsonName(field); name != "" {
			fill(into.Field(place), object[name])
		}
	}
}

func jsonName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return name
}

// given returns the fields of a request that have a value; Payload, which may be anything, is kept unchanged.
func given(request any) Object {
	value := reflect.ValueOf(request)
	fields := Object{}
	for place := range value.NumField() {
		if name := jsonName(value.Type().Field(place)); name != "" && !value.Field(place).IsZero() {
			fields[name] = value.Field(place).Interface()
		}
	}
	return fields
}

// encoded returns a body as bytes, as other clients send it: nothing is escaped that JSON does not require. Text that
// is not UTF-8 is refused, because encoding/json would change it silently, and people would decide on something else.
func encoded(body any) ([]byte, error) {
	content, err := marshaled(body)
	if err != nil {
		return nil, fmt.Errorf("signoff: the request cannot be encoded as JSON: %w", err)
	}
	if fault := textFault(body, content); fault != "" {
		return nil, fmt.Errorf("signoff: the request cannot be encoded as JSON: %s", fault)
	}
	return content, nil
}

// textFault describes what in a value, or in its JSON, another program would read differently, with its path; or "".
func textFault(value any, content []byte) string {
	if where := lostIn(reflect.ValueOf(value), 0); strings.HasPrefix(where, "a value") {
		return where + ` has no exported fields, so its JSON is {}; send something else, or tag it json:"-"`
	} else if where != "" {
		return where + " is not UTF-8"
	}
	// encoding/json copies what a value encodes itself, such as json.RawMessage, without checking its text.
	if faultOfText(content) == "" {
		return ""
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber()
	return jsonTextFault(content, decoder, "")
}

func marshaled(value any) ([]byte, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n")), nil
}

// lostIn returns the path to text that is not UTF-8, or to a value of which nothing is encoded (an error, a logger), in a
// value that was encoded, or "": encoding/json has replaced it without an error. A value that encodes itself is not
// checked, and the fields of the whole value may all be unexported.
func lostIn(value reflect.Value, depth int) string {
	if depth > 2000 || !value.IsValid() {
		return ""
	}
	if value.Kind() != reflect.Interface && value.CanInterface() {
		switch own := value.Interface().(type) {
		case json.Marshaler:
			return ""
		case encoding.TextMarshaler:
			if value.Kind() == reflect.Pointer && value.IsNil() {
				return ""
			}
			if text, err := own.MarshalText(); err == nil && !utf8.Valid(text) {
				return "text"
			}
			return ""
		}
	}
	switch value.Kind() {
	case reflect.String:
		if !utf8.ValidString(value.String()) {
			return "text"
		}
	case reflect.Interface, reflect.Pointer:
		return lostIn(value.Elem(), depth+1)
	case reflect.Map:
		for pairs := value.MapRange(); pairs.Next(); {
			if key := pairs.Key(); key.Kind() == reflect.String && !utf8.ValidString(key.String()) {
				return "a key"
			}
			if where := lostIn(pairs.Value(), depth+1); where != "" {
				return below(fmt.Sprint(pairs.Key()), where)
			}
		}
	case reflect.Slice, reflect.Array:
		switch value.Type().Elem().Kind() {
		case reflect.Uint8, reflect.Int, reflect.Int64, reflect.Float64, reflect.Bool: // no text
			return ""
		}
		for place := range value.Len() {
			if where := lostIn(value.Index(place), depth+1); where != "" {
				return below(fmt.Sprintf("[%d]", place), where)
			}
		}
	case reflect.Struct:
		encoded := depth == 0 || value.NumField() == 0 || value.CanAddr() && value.Addr().CanInterface() && encodesItself(value.Addr())
		for place := range value.NumField() {
			field := value.Type().Field(place)
			encoded = encoded || field.IsExported() || field.Anonymous
			if field.Tag.Get("json") == "-" || !(field.IsExported() || field.Anonymous) {
				continue
			}
			if where := lostIn(value.Field(place), depth+1); where != "" {
				return below(orElse(jsonName(field), field.Name), where)
			}
		}
		if !encoded {
			return "a value"
		}
	}
	return ""
}

func encodesItself(value reflect.Value) bool {
	switch value.Interface().(type) {
	case json.Marshaler, encoding.TextMarshaler:
		return true
	}
	return false
}

// jsonTextFault describes the first fault in a text or key of the next JSON value, with its path; or "".
func jsonTextFault(content []byte, from *json.Decoder, path string) string {
	next := func() (json.Token, string) {
		before := from.InputOffset()
		token, err := from.Token()
		if err != nil {
			return nil, "is not valid JSON: " + err.Error()
		}
		return token, faultOfText(content[before:from.InputOffset()])
	}
	inside := func(kind, what string) string {
		if path == "" {
			return kind + " " + what
		}
		return kind + " in " + path + " " + what
	}
	token, what := next()
	if what != "" {
		return inside("text", what)
	}
	switch token {
	case json.Delim('['):
		for place := 0; from.More(); place++ {
			if fault := jsonTextFault(content, from, fmt.Sprintf("%s[%d]", path, place)); fault != "" {
				return fault
			}
		}
	case json.Delim('{'):
		for from.More() {
			key, what := next()
			if what != "" {
				return inside("a key", what)
			}
			if fault := jsonTextFault(content, from, fmt.Sprintf("%s.%.40s", path, key)); fault != "" {
				return fault
			}
		}
	default:
		return ""
	}
	_, _ = from.Token() // its end
	return ""
}

// faultOfText says what is wrong with the text in otherwise valid JSON; or "".
func faultOfText(content []byte) string {
	if !utf8.Valid(content) {
		return "is not UTF-8"
	}
	for {
		place := bytes.IndexByte(content, '\\')
		if place < 0 {
			return ""
		}
		content = content[place:]
		unit, escaped := utf16Unit(content)
		switch {
		case !escaped:
			content = content[2:]
			continue
		case !utf16.IsSurrogate(unit):
			content = content[6:]
			continue
		}
		if second, paired := utf16Unit(content[6:]); !paired || utf16.DecodeRune(unit, second) == utf8.RuneError {
			return fmt.Sprintf("has half a character: \\u%04x without its other half", unit)
		}
		content = content[12:]
	}
}

// utf16Unit returns the code unit for the escape at the beginning of this JSON.
func utf16Unit(content []byte) (rune, bool) {
	if len(content) < 6 || content[0] != '\\' || content[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(content[2:6]), 16, 16)
	return rune(unit), err == nil
}

// below prepends a member to a path: ".payload.lines[2]" and the like, after the description of the fault.
func below(member, where string) string {
	if !strings.HasPrefix(member, "[") {
		member = fmt.Sprintf(".%.40s", member)
	}
	what, path, _ := strings.Cut(where, " in ")
	return what + " in " + member + path
}
