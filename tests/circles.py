#!/usr/bin/env python3
"""Finds circles between the files of src/.

An arrow goes from a file that names an item to the file that defines it. Re-exports are followed, tests are left out, and `mod child;` is
no arrow. A circle is a set of files each of which can be reached from each other.

    python3 tests/circles.py            circles; exit code 1 if there are any
    python3 tests/circles.py --arrows   all arrows
"""

import re
import sys
from pathlib import Path

SRC = Path(__file__).resolve().parent.parent / "src"


def module_of(path):
    parts = list(path.relative_to(SRC).with_suffix("").parts)
    if parts[-1] in ("mod", "lib"):
        parts.pop()
    return tuple(parts)


def without_tests(text):
    """`text` without comments, strings and modules of tests."""
    text = text.replace("'\"'", "' '")
    text = re.sub(r"//[^\n]*", "", text)
    text = re.sub(r'"(?:[^"\\]|\\.)*"', '""', text, flags=re.S)
    text = re.sub(r"pub\(in [\w:]+\)", "pub", text)
    while (found := re.search(r"#\[cfg\((?:all\()?test\b[^\n]*\n(?:#\[[^\n]*\n)*\s*(?:pub[^ ]* )?mod \w+ \{", text)):
        depth, end = 1, found.end()
        while depth:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        text = text[: found.start()] + text[end:]
    return text


def trees(body):
    """The paths of a `use`, with the names that they get."""
    body = body.strip()
    if "{" not in body:
        path, _, name = body.partition(" as ")
        path = path.strip()
        yield path, (name or path.rsplit("::", 1)[-1]).strip()
        return
    head, inner = body.split("{", 1)
    depth, start = 0, 0
    inner = inner[: inner.rindex("}")]
    for index, char in enumerate(inner + ","):
        depth += {"{": 1, "}": -1}.get(char, 0)
        if char == "," and depth == 0:
            part = inner[start:index].strip()
            start = index + 1
            if part:
                for path, name in trees(part):
                    if path == "self":
                        yield head.removesuffix("::"), name if name != "self" else head.split("::")[-2]
                    else:
                        yield head + path, name


files = {module_of(path): path for path in sorted(SRC.rglob("*.rs"))}
files = {module: path for module, path in files.items() if module[-1:] != ("tests",) and module != ("main",)}
texts = {module: without_tests(path.read_text()) for module, path in files.items()}
USE = re.compile(r"^\s*((?:pub(?:\([^)]*\))?\s+)?)use\s+([^;]+);", re.M)
exports = {}
for module, text in texts.items():
    for _, body in USE.findall(text):
        for path, name in trees(body):
            exports.setdefault(module, {})[name] = path


def absolute(module, path):
    """The segments of `path`, written in `module`, from the crate's root; None if it leaves the crate."""
    parts = path.split("::")
    if parts[0] == "crate":
        return tuple(parts[1:])
    if parts[0] == "self":
        return module + tuple(parts[1:])
    if parts[0] == "super":
        while parts and parts[0] == "super":
            module, parts = module[:-1], parts[1:]
        return module + tuple(parts)
    return module + tuple(parts) if module + (parts[0],) in files else None


def definer(segments, seen=()):
    """The module whose file defines what `segments` lead to."""
    module = ()
    for index, name in enumerate(segments):
        if module + (name,) in files:
            module += (name,)
            continue
        path = exports.get(module, {}).get(name)
        if path and (module, name) not in seen:
            target = absolute(module, path)
            if target is not None:
                return definer(target + segments[index + 1 :], (*seen, (module, name)))
        break
    return module


arrows = {}
for module, text in texts.items():
    paths = [(path, bool(visibility)) for visibility, body in USE.findall(text) for path, _ in trees(body)]
    rest = USE.sub("", text)
    paths += [(path, False) for path in re.findall(r"\b(?:crate|super|self)(?:::\w+)+", rest)]
    children = {child[-1] for child in files if child and child[:-1] == module}
    local = exports.get(module, {})
    for head, tail in re.findall(r"(?<![\w:])(\w+)((?:::\w+)+)", rest):
        if head in children:
            paths.append((f"self::{head}{tail}", False))
        elif head in local:
            paths.append((local[head] + tail, False))
    for path, reexports in paths:
        target = absolute(module, path)
        if target is None or reexports:
            continue
        found = definer(target)
        if found != module and found in files:
            arrows.setdefault(module, set()).add(found)

# Tarjan's strongly connected components.
index, low, stack, circles = {}, {}, [], []


def visit(module):
    index[module] = low[module] = len(index)
    stack.append(module)
    for target in sorted(arrows.get(module, ())):
        if target not in index:
            visit(target)
            low[module] = min(low[module], low[target])
        elif target in stack:
            low[module] = min(low[module], index[target])
    if low[module] == index[module]:
        circle = []
        while not circle or circle[-1] != module:
            circle.append(stack.pop())
        if len(circle) > 1:
            circles.append(sorted(circle))


sys.setrecursionlimit(10_000)
for module in files:
    if module not in index:
        visit(module)
name = lambda module: str(files[module].relative_to(SRC))
if "--arrows" in sys.argv:
    for module in sorted(arrows):
        for target in sorted(arrows[module]):
            print(name(module), "->", name(target))
for circle in circles:
    print("circle:", ", ".join(map(name, circle)))
    for module in circle:
        for target in sorted(arrows[module] & set(circle)):
            print("   ", name(module), "->", name(target))
print(f"{len(files)} files, {sum(map(len, arrows.values()))} arrows, {len(circles)} circles")
sys.exit(bool(circles))
