#!/usr/bin/env python3
"""Checks what no compiler checks: layering, READMEs, marks, widths, sizes, paths of one machine,
and that each invariant names a test that is there.

    tests/tidy/tidy.py [ROOT]

Prints one line for each finding, `path:line: what: how to mend it`, and fails if there is any.
tests/tidy/tidy_selftest.py plants one of each and proves that this goes red.
"""

import os
import re
import sys
from pathlib import Path

# A folder may include itself and folders of lower levels, nothing else: folders of one level meet
# through interfaces that are declared below them and wired together in main.
LEVELS = {
    "base": 0,
    "sys": 1, "pg": 1, "pgwire": 1,
    "store": 2, "meta": 2, "objects": 2,
    "shim": 3, "wal": 3,
    "compute": 4, "diff": 4,
    "control": 5, "proxy": 5, "backup": 5,
    "api": 6, "cli": 6, "inspect": 6,
    "main": 7,
}

SOURCE = {".h", ".cc", ".c", ".cpp", ".hpp"}
TEXT = SOURCE | {".py", ".sh", ".md", ".txt", ".cmake", ".def", ".sql", ".json", ".toml", ".ts", ".rs", ""}
SKIPPED_FOLDERS = {"build", "node_modules", "__pycache__", "target", "dist"}
COLUMNS_MAX = 100
LINES_MAX = 900

# Written in two halves so that this file does not find itself.
MARKS = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]) + r")\b")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"')
# "P1  what always holds. [Suite.Name, other_test.cc]", in a comment or a list of Markdown.
INVARIANT = re.compile(r"^(?://  |-) ([A-Z])(\d) ")
CITED = re.compile(r"\[([^\]]*)\]")
TEST = re.compile(r"^TEST(?:_F|_P)?\((\w+),\s*(\w+)\)", re.MULTILINE)
# Home folders and the like; places that the file system standard gives to everybody are fine.
PRIVATE_PATHS = re.compile(r"(?<![\w.~}/-])/(?:home|Users)/[a-z][\w.-]*/|(?<![\w.~}/-])/(?:root|opt)/[\w.-]+")
STANDARD_TOPS = {"srv", "tmp", "var", "usr", "etc", "home", "root", "opt", "mnt", "run", "builds", "Users", "dev"}


class Tidy:
    def __init__(self, root):
        self.root = Path(root).resolve()
        self.findings = []
        self.includes = {}  # source file below src -> [(line, included path)]
        self.tests = set()  # Suite.Name, and the names of files with tests
        self.invariants = {}  # letter -> the file whose invariants have it

    def report(self, path, line, text):
        self.findings.append(f"{path.relative_to(self.root)}:{line}: {text}")

    def run(self):
        files = sorted(self.files())
        for path in files:
            if path.suffix == ".cc" and "_test" in path.stem:
                self.tests.add(path.name)
                self.tests.update(".".join(name) for name in TEST.findall(path.read_text()))
        for path in files:
            self.check_text(path)
        source = self.root / "src"
        if source.is_dir():
            for folder in sorted(p for p in source.iterdir() if p.is_dir()):
                self.check_folder(folder)
            self.check_file_cycles()
        return self.findings

    def files(self):
        for folder, folders, names in os.walk(self.root):
            folders[:] = [f for f in folders if f not in SKIPPED_FOLDERS and (f == ".ci" or not f.startswith("."))]
            for name in names:
                path = Path(folder) / name
                if path.suffix in TEXT and name not in {"LICENSE", ".git"} and not path.is_symlink():
                    yield path

    def check_text(self, path):
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            return
        relative = path.relative_to(self.root)
        in_source = relative.parts[0] == "src" and path.suffix in SOURCE
        if path.suffix in SOURCE | {".py", ".sh"} and len(lines) > LINES_MAX:
            self.report(path, len(lines), f"more than {LINES_MAX} lines: find the second idea and move it out")
        if path.suffix in {".h", ".md"}:
            self.check_invariants(path, lines)
        tops = self.machine_tops()
        for number, line in enumerate(lines, 1):
            if mark := MARKS.search(line):
                self.report(path, number, f"mark {mark.group(1)}: do it, or file an issue and drop the mark")
            if in_source and len(line) > COLUMNS_MAX:
                self.report(path, number, f"{len(line)} columns, at most {COLUMNS_MAX}: break the line")
            if (private := PRIVATE_PATHS.search(line)) or any(top in line for top in tops):
                what = private.group(0) if private else "the folder of this checkout"
                self.report(path, number, f"path of one machine ({what}): make it relative or configurable")
            if path.suffix == ".md":
                self.check_links(path, number, line)
            if in_source and (include := INCLUDE.match(line)):
                self.check_include(path, number, include.group(1))

    def check_invariants(self, path, lines):
        for number, line in enumerate(lines, 1):
            if not (head := INVARIANT.match(line)):
                continue
            letter, name = head.group(1), head.group(1) + head.group(2)
            if self.invariants.setdefault(letter, path) != path:
                self.report(path, number, f"invariant {name}: {letter} is the letter of "
                                          f"{self.invariants[letter].name}: take another")
            text = line
            for follower in lines[number:]:
                if not re.match(r"(//    | )  *\S", follower):
                    break
                text += follower.removeprefix("//")
            cited = re.split(r"[\s`,]+", " ".join(CITED.findall(text)).strip(" `"))
            if not cited[0]:
                self.report(path, number, f"invariant {name} names no test: [Suite.Name], or [assumed of whom]")
            elif cited[0] != "assumed":
                for test in filter(None, cited):
                    if test not in self.tests:
                        self.report(path, number, f"invariant {name} names {test}, which is no test: mend it")

    def check_links(self, path, number, line):
        for target in LINK.findall(line):
            if "://" not in target and not (path.parent / target).exists():
                self.report(path, number, f"link to {target}, which does not exist: mend or drop it")

    def machine_tops(self):
        """Strings that only name places of the machine this runs on."""
        tops = [f"{self.root}/"]
        first = self.root.parts[1] if len(self.root.parts) > 2 else ""
        if first and first not in STANDARD_TOPS:
            tops.append(f"/{first}/")
        return tops

    def check_include(self, path, number, included):
        mine = path.relative_to(self.root / "src").parts[0]
        theirs = included.split("/")[0]
        if included.endswith(".inc"):  # made by the folder's own build
            return
        if "/" not in included or theirs not in LEVELS:
            self.report(path, number, f'include "{included}" is not a path from src/: write "folder/file.h"')
            return
        self.includes.setdefault(path, []).append((number, self.root / "src" / included))
        self.check_level(path, number, mine, theirs)

    def check_level(self, path, number, mine, theirs):
        if mine == theirs or mine not in LEVELS or theirs not in LEVELS:
            return
        if LEVELS[theirs] >= LEVELS[mine]:
            self.report(path, number,
                        f"{mine} (level {LEVELS[mine]}) uses {theirs} (level {LEVELS[theirs]}): "
                        "use lower levels only; declare an interface below both")

    def check_folder(self, folder):
        if folder.name not in LEVELS:
            self.report(folder, 0, "folder has no level: add it to LEVELS in tests/tidy/tidy.py")
        sources = [p for p in folder.rglob("*") if p.suffix in SOURCE]
        if sources and not (folder / "README.md").is_file():
            self.report(folder, 0, "folder has no README.md: what it is for, what it never does, "
                                   "files in reading order, how it fails")
        elif sources:
            self.check_readme(folder, sources)
        build = folder / "CMakeLists.txt"
        if build.is_file():
            self.check_cmake(folder, build)

    def check_readme(self, folder, sources):
        named = set(re.findall(r"\w+", (folder / "README.md").read_text()))
        for path in sorted(sources):
            stem = path.stem
            if not stem.endswith("_test") and stem not in named and stem != "main":
                self.report(folder / "README.md", 0, f"does not name {path.name}: say where it belongs in the reading order")

    def check_cmake(self, folder, build):
        in_deps = False
        for number, line in enumerate(build.read_text().splitlines(), 1):
            for word in re.findall(r"[\w./:${}-]+", line.split("#")[0]):
                if word.isupper() and word.isalpha():
                    in_deps = word == "DEPS"
                elif in_deps:
                    self.check_level(build, number, folder.name, word)

    def check_file_cycles(self):
        """A cycle between files; one between folders always breaks the levels and is found there."""
        done, trail = set(), []

        def visit(path):
            if path in trail:
                cycle = trail[trail.index(path):] + [path]
                self.report(path, 0, "include cycle: " + " -> ".join(p.name for p in cycle))
                return
            if path in done:
                return
            trail.append(path)
            for _, target in self.includes.get(path, []):
                visit(target)
            trail.pop()
            done.add(path)

        for path in sorted(self.includes):
            visit(path)


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parents[2]
    findings = Tidy(root).run()
    print("\n".join(findings) if findings else "tidy: nothing found")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
