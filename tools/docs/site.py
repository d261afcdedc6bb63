"""The documents as a site: what MkDocs needs beyond docs/ and mkdocs.yml.

This is a hook: MkDocs calls the functions `on_...`. On GitHub a page may link to any file of the project. The site has
the pictures that pages show and the pages in `PAGES`; a link to any other file outside docs/ becomes its path, as code.
"""

from __future__ import annotations

import importlib.util
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page
from mkdocs.utils.templates import TemplateContext

ROOT = Path(__file__).parents[2]
PAGES = ("CHANGELOG.md", "CONTRIBUTING.md")
PICTURES = (".png", ".svg")
ASSETS = ("iframe-worker.js", "site.css")  # beside this module
MERMAID = "assets/mermaid.js"
FENCE = r"^ *```.*?^ *```$"  # matched first, and left as it is
LINK = re.compile(
    FENCE + r"|`[^`\n]*`|\[(?P<text>[^\]]*)\]\((?!\w+:)(?P<path>[^)\s#]+)(?P<anchor>#[^)\s]*)?\)", re.M | re.S
)
LIST = re.compile(FENCE + r"|^(?P<indent> +)(?=\S)|^(?P<before>[^\s*|>-][^\n]*\n)(?=- )", re.M | re.S)
SIGNATURE = re.compile(r"^chatbench\.([a-z]\w*\.)?(?P<name>\w+)(\(.*)?$")  # a heading of docs/api.md
INLINE_CODE = re.compile(r"<code>[^<]*</code>")
HYPHENATED = re.compile(r"[\w-]*-[\w-]+")
FILE_NAME = re.compile(r">(?:docs/)?(?P<page>[\w.]+\.md)</a>")  # what a link says


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages, styles and scripts that are not in docs/."""
    brought = {name: ROOT / name for name in PAGES}
    brought |= {f"assets/{name}": Path(__file__).with_name(name) for name in ASSETS}
    brought[MERMAID] = _mermaid()
    for name, source in brought.items():
        files.append(File.generated(config, name, abs_src_path=str(source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links that lead out of docs/ into links within the site, and bring the pictures among them."""
    uri = page.file.src_uri

    def on_site(found: re.Match[str]) -> str:
        target = project_path(uri, found["path"]) if found["path"] else ""
        picture = target.endswith(PICTURES) and not target.startswith("docs/") and (ROOT / target).is_file()
        if picture and files.get_file_from_path(target) is None:
            files.append(File.generated(config, target, abs_src_path=str(ROOT / target)))
        return link_on_site(found, uri)

    return LIST.sub(list_of_mkdocs, LINK.sub(on_site, markdown))


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Show names as a reader of the site knows them.

    A page is called by its title, and a function in the table of contents by its name alone. A name with hyphens stays
    in one piece.
    """
    for entry in (child for top in page.toc for section in top.children for child in section.children):
        entry.title = SIGNATURE.sub(r"\g<name>", entry.title)
    html = INLINE_CODE.sub(lambda found: HYPHENATED.sub(r'<span class="whole">\g<0></span>', found[0]), html)
    return FILE_NAME.sub(lambda found: f">“{_title(files, found['page'])}”</a>", html)


def on_page_context(context: TemplateContext, page: Page, config: MkDocsConfig, nav: Navigation) -> TemplateContext:
    """Give a page the search field, the buttons and the `lang` attribute of its own language."""
    config.theme["language"] = "ko" if page.file.src_uri.endswith(".ko.md") else "en"
    return context


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Add the script that draws diagrams, three megabytes, to pages that have one."""
    script = f'<script src="{MERMAID}"></script>\n</body>'
    return output.replace("</body>", script) if 'class="mermaid"' in output else output


def link_on_site(found: re.Match[str], page: str) -> str:
    """A match of `LINK` on that page as it is on the site; a link to a missing file stays, and ends the build."""
    if not found["path"]:
        return found[0]
    target = project_path(page, found["path"])
    within = target.removeprefix("docs/")
    if within != target or target in PAGES or target.endswith(PICTURES):
        path = posixpath.relpath(within, posixpath.dirname(page) or ".")
        return f"[{found['text']}]({path}{found['anchor'] or ''})"
    return _as_code(found["text"], found["path"], target) if (ROOT / target).exists() else found[0]


def list_of_mkdocs(found: re.Match[str]) -> str:
    """A match of `LIST` as MkDocs wants it: nested four spaces deep, not two, and after an empty line."""
    if found["indent"]:
        return found["indent"] * 2
    return f"{found['before']}\n" if found["before"] else found[0]


def project_path(page: str, link: str) -> str:
    """Where a link of a page leads, from the top of the project."""
    folder = "" if page in PAGES else posixpath.join("docs", posixpath.dirname(page))
    return posixpath.normpath(posixpath.join(folder, link))


def _as_code(text: str, link: str, target: str) -> str:
    path = f"`{target}/`" if link.endswith("/") else f"`{target}`"
    return path if text.strip("`/") == path.strip("`/") else f"{text} ({path})"


def _title(files: Files, uri: str) -> str:
    file = files.get_file_from_path(uri)
    assert file is not None
    assert file.page is not None
    return str(file.page.title)


def _mermaid() -> Path:
    """The script that draws diagrams: a package has it, so that no page fetches it from the network."""
    package = importlib.util.find_spec("mermaidx")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).with_name("assets") / "mermaid.js"
