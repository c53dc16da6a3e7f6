"""Finds every error code where it is raised, for the reference page of errors. Fails if a code cannot be determined."""

import ast
import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import signoff
from signoff.core.errors import Refused

SOURCE = Path(signoff.__file__).parent
# Code that answers requests; only commands raise the errors of the rest.
_ANSWERS = ("core", "engine", "notify", "store", "web")
_ELSEWHERE = ("client",)  # raises a server's errors, and its own
_DEFINED = ("core/errors.py",)
# Codes whose HTTP status differs from that of their class.
_STATUS = {"internal_error": 500}


class Raised(NamedTuple):
    """One place that raises a code: its file, its status, and its message, with ``…`` for variable parts."""

    code: str
    file: str
    status: int
    says: str


class Maker(NamedTuple):
    """A function that makes an error whose code is one of its arguments, or contains one."""

    status: int
    code: ast.expr
    says: ast.expr | None
    params: list[str]
    defaults: dict[str, ast.expr]


def codes() -> dict[str, list[Raised]]:
    """All codes with the places that raise them, in order."""
    found: dict[str, list[Raised]] = {}
    for one in sorted(_all()):
        found.setdefault(one.code, []).append(one._replace(status=_STATUS.get(one.code, one.status)))
    return found


def answered(places: list[Raised]) -> bool:
    """Whether a request can get this error."""
    return any(one.file.partition("/")[0] in _ANSWERS for one in places)


def _all() -> Iterator[Raised]:
    trees = {
        path.relative_to(SOURCE).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(SOURCE.rglob("*.py"))
    }
    trees = {name: tree for name, tree in trees.items() if name.partition("/")[0] not in _ELSEWHERE}
    kinds = _kinds(trees)
    makers: dict[str, Maker] = {}
    for name, tree in trees.items():
        if name not in _DEFINED:
            makers |= _makers(tree, kinds)
    for name, tree in trees.items():
        if name in _DEFINED:
            continue
        constants = _constants(tree)
        inside = {id(call): function for function in _functions(tree) for call in ast.walk(function)}
        for call in _calls(tree):
            yield from _raised(name, call, kinds, makers, constants, inside.get(id(call)))
        for kind in (
            node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name in kinds
        ):
            for call in _calls(kind):
                if ast.unparse(call.func) == "super().__init__" and isinstance(call.args[0], ast.Constant):
                    yield Raised(str(call.args[0].value), name, kinds[kind.name], _says(call.args[1]))


def _raised(
    file: str, call: ast.Call, kinds: dict[str, int], makers: dict[str, Maker],
    constants: dict[str, ast.expr], function: ast.FunctionDef | ast.AsyncFunctionDef | None,
) -> Iterator[Raised]:  # fmt: skip
    name = _name(call)
    if name == "Denial" and isinstance(call.args[0], ast.Constant):  # a row of the table of rights
        error = next((word.value for word in call.keywords if word.arg == "error"), None)
        status = kinds[ast.unparse(error)] if error is not None else kinds["Forbidden"]
        yield Raised(str(call.args[0].value), file, status, _says(call.args[1]))
    elif name in kinds and call.args:
        says = _says(call.args[1]) if len(call.args) > 1 else ""
        for code in _values(call.args[0], constants):
            if code is not None:
                yield Raised(code, file, kinds[name], says)
            elif function is None or not (
                function.name in makers or ast.unparse(call.args[0]).endswith(".code")
            ):
                raise LookupError(f"{file}:{call.lineno}: which code is {ast.unparse(call.args[0])}?")
    elif name in makers:
        maker = makers[name]
        given = {**maker.defaults, **dict(zip(maker.params, call.args, strict=False))}
        given |= {word.arg: word.value for word in call.keywords if word.arg}
        for code in _values(maker.code, {**constants, **given}):
            if code is not None:
                yield Raised(code, file, maker.status, _says(maker.says, given))


def _kinds(trees: dict[str, ast.Module]) -> dict[str, int]:
    """The classes of errors, and the status of each."""
    for name, tree in trees.items():
        bases = {
            ast.unparse(base)
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef)
            for base in node.bases
        }
        if bases & {"Refused", "Busy", "Conflict", "Invalid", "Malformed"}:
            importlib.import_module("signoff." + name.removesuffix(".py").replace("/", "."))
    found: dict[str, int] = {}
    queue: list[type[Refused]] = [Refused]
    while queue:
        kind = queue.pop()
        found[kind.__name__] = kind.status
        queue += kind.__subclasses__()
    return found


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _makers(tree: ast.Module, kinds: dict[str, int]) -> dict[str, Maker]:
    found: dict[str, Maker] = {}
    for function in _functions(tree):
        args = [one for one in (*function.args.args, *function.args.kwonlyargs) if one.arg != "self"]
        params = [one.arg for one in args]
        plain = [one.arg for one in function.args.args]
        defaults: dict[str, ast.expr] = dict(
            zip(reversed(plain), reversed(function.args.defaults), strict=False)
        )
        for word, default in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True):
            if default is not None:
                defaults[word.arg] = default
        for call in _calls(function):
            used = (
                {node.id for node in ast.walk(call.args[0]) if isinstance(node, ast.Name)}
                if call.args
                else set()
            )
            direct = call.args and isinstance(call.args[0], ast.Name | ast.JoinedStr)
            if _name(call) in kinds and direct and used & set(params):
                says = call.args[1] if len(call.args) > 1 else None
                found[function.name] = Maker(kinds[_name(call)], call.args[0], says, params, defaults)
    return found


def _constants(tree: ast.Module) -> dict[str, ast.expr]:
    found: dict[str, ast.expr] = {}
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            found[node.target.id] = node.value
    return found


def _values(code: ast.expr, known: dict[str, ast.expr]) -> Iterator[str | None]:
    """The possible values of an expression for a code; None if they cannot be determined here."""
    if isinstance(code, ast.Constant) and isinstance(code.value, str):
        yield code.value
    elif isinstance(code, ast.IfExp):
        yield from _values(code.body, known)
        yield from _values(code.orelse, known)
    elif isinstance(code, ast.Name) and code.id in known:
        yield from _values(known[code.id], {name: value for name, value in known.items() if name != code.id})
    elif isinstance(code, ast.JoinedStr):
        parts = [next(_values(getattr(part, "value", part), known), None) if isinstance(part, ast.FormattedValue)
                 else str(getattr(part, "value", "")) for part in code.values]  # fmt: skip
        yield None if None in parts else "".join(part or "" for part in parts)
    else:
        yield None


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _name(call: ast.Call) -> str:
    function = call.func
    return getattr(function, "id", "") or getattr(function, "attr", "")


def _says(text: ast.expr | None, given: Mapping[str, ast.expr] | None = None) -> str:
    """A message as written in the source, with ``…`` for what is filled in; "" if it is made elsewhere."""
    given = given or {}
    if isinstance(text, ast.Name) and text.id in given:
        return _says(given[text.id])
    if isinstance(text, ast.Constant):
        return str(text.value)
    if isinstance(text, ast.FormattedValue):
        return _says(text.value, given) if isinstance(text.value, ast.Name) and given else "…"
    if isinstance(text, ast.JoinedStr):
        return "".join(_says(part, given) or "…" for part in text.values)
    if isinstance(text, ast.BinOp):
        return _says(text.left) + _says(text.right)
    return ""
