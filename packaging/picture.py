#!/usr/bin/env python3
"""The picture in the README: a real rehearsal of the example, as SVG. `picture.py PROGRAM docs/rehearsal.svg` draws it,
`--check` says whether it still looks like that; only times may differ, since machines do.
"""

import argparse
import difflib
import html
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

COLUMNS, LINE, LETTER = 108, 20, 8.4
COMMANDS = ("redrill init --example", "redrill rehearse quickstart.yaml")
COLOURS = (("COMPLETED", "#3fb950"), ("passed", "#3fb950"), ("started", "#58a6ff"), ("$ ", "#8b949e"))


def lines_of(program):
    """What a person sees who types the commands."""
    shown = []
    # What somebody has who has set nothing.
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "REDRILL_"))}
    with tempfile.TemporaryDirectory() as folder:
        for command in COMMANDS:
            words = [str(program), *command.split()[1:]]
            both = subprocess.run(words, cwd=folder, env=bare, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            said = both.stderr.splitlines()
            # Restores that start at once have no order, and when it was is nobody's business.
            for at in range(len(said) - 1):
                if all(": started" in line for line in said[at : at + 2]):
                    said[at : at + 2] = sorted(said[at : at + 2], key=lambda line: line.split("  ")[1])
            said = [line for line in said if not line.startswith(("next,", "then "))] + both.stdout.splitlines()
            shown += [f"$ {command}", *(re.sub(r"; started .*", "", line) for line in said), ""]
    return [line if len(line) <= COLUMNS else line[: COLUMNS - 1] + "…" for line in shown[:-1]]


def coloured(line):
    text = html.escape(line, quote=False)
    for word, colour in COLOURS:
        if line.startswith(word) or (word != "$ " and re.search(rf": {word}\b", line)):
            return text.replace(word, f'<tspan fill="{colour}">{word}</tspan>', 1)
    return text


def drawn(lines):
    width, height = round(COLUMNS * LETTER) + 40, len(lines) * LINE + 70
    rows = "".join(
        f'<text x="20" y="{60 + at * LINE}" xml:space="preserve">{coloured(line)}</text>\n'
        for at, line in enumerate(lines)
        if line
    )
    dots = "".join(f'<circle cx="{24 + at * 20}" cy="22" r="6" fill="{fill}"/>' for at, fill in enumerate(("#ff5f56", "#ffbd2e", "#27c93f")))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">\n'
        f"<title>redrill rehearses a plan of three restores in a terminal</title>\n"
        f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>\n{dots}\n'
        f'<g fill="#c9d1d9" font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="14">\n{rows}</g>\n</svg>\n'
    )


def without_times(text):
    text = re.sub(r"\+\d+:\d\d:\d\d", "+TIME", text)
    return re.sub(r"\b\d+(h|m|s)( \d+(m|s))?\b", "TIME", text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    new = drawn(lines_of(given.program.resolve()))
    if not given.check:
        given.picture.write_text(new, encoding="utf-8")
        return
    old = given.picture.read_text(encoding="utf-8")
    differs = list(difflib.unified_diff(*(without_times(text).splitlines() for text in (old, new)), "picture", "now", lineterm=""))
    if differs:
        sys.exit("\n".join([*differs, f"draw it again: packaging/picture.py target/debug/redrill {given.picture}"]))


if __name__ == "__main__":
    main()
