"""Prints the largest files and functions of ``src``: a hint for a reader, never a failure."""

import ast
from pathlib import Path

SOURCES = Path(__file__).parent.parent / "src"
LINES_PER_FILE = 400
LINES_PER_FUNCTION = 40


def main() -> None:
    files, functions = [], []
    for path in sorted(SOURCES.rglob("*.py")):
        text = path.read_text("utf-8")
        files.append((len(text.splitlines()), str(path.relative_to(SOURCES))))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                functions.append((length, f"{path.relative_to(SOURCES)}:{node.lineno} {node.name}"))
    for what, found, limit in (
        ("files", files, LINES_PER_FILE),
        ("functions", functions, LINES_PER_FUNCTION),
    ):
        large = sorted((entry for entry in found if entry[0] > limit), reverse=True)
        if large:
            print(f"Large {what} (over {limit} lines); is each still one thing?")
            for size, name in large[:10]:
                print(f"  {size:5}  {name}")


if __name__ == "__main__":
    main()
