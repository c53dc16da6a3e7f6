package signoff

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"unicode"
)

// shape says where the arguments of a call are: in the fields of a struct by their JSON names, or, if there are none,
// in a map.
type shape struct{ fields map[string][]int }

func shapeOf[A any](name string) (*shape, error) {
	kind := reflect.TypeFor[A]()
	refused := fmt.Errorf("signoff: the arguments of %s are a struct, or a map by their names, not %v", name, kind)
	for _, custom := range []reflect.Type{reflect.TypeFor[json.Marshaler](), reflect.TypeFor[encoding.TextMarshaler]()} {
		if kind.Implements(custom) || reflect.PointerTo(kind).Implements(custom) {
			return nil, fmt.Errorf("%w, which encodes itself as JSON", refused)
		}
	}
	switch {
	case kind.Kind() == reflect.Map && kind.Key().Kind() == reflect.String:
		return &shape{}, nil
	case kind.Kind() != reflect.Struct:
		return nil, refused
	}
	found := &shape{map[string][]int{}}
	return found, found.add(name, kind, nil)
}

func (s *shape) add(name string, kind reflect.Type, path []int) error {
	for place := range kind.NumField() {
		field := kind.Field(place)
		whole := append(append([]int{}, path...), place)
		member := jsonName(field)
		switch {
		case field.Tag.Get("json") == "-" || !field.IsExported() && !field.Anonymous:
			continue
		case field.Anonymous && member == "" && field.Type.Kind() == reflect.Struct:
			if err := s.add(name, field.Type, whole); err != nil {
				return err
			}
			continue
		case field.Anonymous && member == "":
			return fmt.Errorf("signoff: the arguments of %s embed %v; give it a name", name, field.Type)
		case !field.IsExported() && field.Type.Kind() != reflect.Struct:
			continue
		case !field.IsExported():
			return fmt.Errorf("signoff: the arguments of %s embed %v with a name; only an exported type can have one", name, field.Type)
		case strings.ContainsFunc(member, notOfNames):
			return fmt.Errorf("signoff: %q cannot be the JSON name of an argument of %s: encoding/json ignores it", member, name)
		case member == "":
			member = field.Name
		}
		if s.fields[member] != nil {
			return fmt.Errorf("signoff: the arguments of %s have two fields that are called %s in JSON", name, member)
		}
		s.fields[member] = whole
	}
	return nil
}

// notOfNames reports whether this letter makes encoding/json ignore a field's tag.
func notOfNames(letter rune) bool {
	return !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", letter) && !unicode.IsLetter(letter) && !unicode.IsDigit(letter)
}

// restored returns the arguments to call with: the caller's own where neither people, nor the program since it asked,
// changed anything; otherwise the value that people approved.
func restored[A any](s *shape, args A, request *callRequest, edited map[string]any) (A, error) {
	var none A
	// What can no longer be read counts as changed.
	now, _ := askedArguments(request.name, args)
	approved := map[string]reflect.Value{}
	for name, asked := range request.asked {
		value, changed := edited[name]
		if !changed {
			value = asked
		}
		if own, there := now[name]; !changed && there && sameJSON(own, asked) {
			continue
		}
		fitting, err := decoded[A](s, request.name, name, value)
		if err != nil {
			return none, err
		}
		approved[name] = fitting
	}
	if s.fields == nil {
		return restoredMap(args, request, approved), nil
	}
	whole := reflect.New(reflect.TypeFor[A]()).Elem()
	whole.Set(reflect.ValueOf(args))
	for name, path := range s.fields {
		field := whole.FieldByIndex(path)
		if value, there := approved[name]; there {
			field.Set(value)
		} else if _, asked := request.asked[name]; !asked && !hasNothing(field) {
			field.SetZero() // it was not sent when people were asked
		}
	}
	return whole.Interface().(A), nil
}

func restoredMap[A any](args A, request *callRequest, approved map[string]reflect.Value) A {
	own := reflect.ValueOf(args)
	kind := own.Type()
	whole := reflect.MakeMapWithSize(kind, len(request.asked))
	for name := range request.asked {
		key := reflect.ValueOf(name).Convert(kind.Key())
		value, there := approved[name]
		if !there {
			value = own.MapIndex(key)
		}
		whole.SetMapIndex(key, value)
	}
	return whole.Interface().(A)
}

// decoded reads one argument from JSON. It fits only if it gives the same JSON again, because encoding/json
// accepts a null for a number, and drops unknown fields.
func decoded[A any](s *shape, call, name string, value any) (reflect.Value, error) {
	var into A
	misfit := func(why any) (reflect.Value, error) {
		return reflect.Value{}, invalidEdit("The edit does not fit %s: the argument %s: %v", call, name, why)
	}
	content, err := json.Marshal(map[string]any{name: value})
	if err != nil {
		return misfit(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&into); err != nil {
		return misfit(err)
	}
	back, err := askedArguments(call, into)
	if err != nil {
		return misfit(err)
	}
	if found, there := back[name]; !there && !isEmpty(value) || there && !sameJSON(found, value) {
		return misfit(fmt.Sprintf("%s is not a %v", cutText(canonicalJSON(value), 100), fieldType[A](s, name)))
	}
	if s.fields == nil {
		key := reflect.ValueOf(name).Convert(reflect.TypeFor[A]().Key())
		return reflect.ValueOf(into).MapIndex(key), nil
	}
	return reflect.ValueOf(into).FieldByIndex(s.fields[name]), nil
}

func fieldType[A any](s *shape, name string) reflect.Type {
	if s.fields == nil {
		return reflect.TypeFor[A]().Elem()
	}
	return reflect.TypeFor[A]().FieldByIndex(s.fields[name]).Type
}

// hasNothing reports whether a field has no content, even if it was allocated.
func hasNothing(field reflect.Value) bool {
	switch field.Kind() {
	case reflect.Map, reflect.Slice:
		return field.Len() == 0
	}
	return field.IsZero()
}

// isEmpty reports whether omitempty may drop a value.
func isEmpty(value any) bool {
	switch value := value.(type) {
	case bool:
		return !value
	case string:
		return value == ""
	case float64:
		return value == 0
	case []any:
		return len(value) == 0
	case map[string]any:
		return len(value) == 0
	}
	return false
}
