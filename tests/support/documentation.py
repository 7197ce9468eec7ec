"""Reads the documentation for the tests that run its commands and examples."""
import re

from support import harness


def text(page):
    """A page of docs/, or README.md or another file of the root by its full name."""
    return (harness.ROOT / (page if "." in page else f"docs/{page}.md")).read_text()


def commands(page):
    """The indented blocks of a page, without their indentation."""
    blocks = re.findall(r"(?:^    .*\n)+", text(page), re.M)
    return ["\n".join(line[4:] for line in block.splitlines()) for block in blocks]


def block(page, language):
    """The first code block of a language."""
    return re.search(rf"^```{language}\n(.*?)^```", text(page), re.S | re.M).group(1)
