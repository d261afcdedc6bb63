"""The documents as a site: complete, the same as on GitHub, and readable without a network."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort

from tests.browser import chromium, needs_chromium
from tools.docs.site import LINK, PAGES, ROOT, link_on_site

SOURCES = {path.name: path for path in [*(ROOT / "docs").glob("*.md"), *(ROOT / name for name in PAGES)]}
GITHUB = MarkdownIt("commonmark").enable("table")
LOADING = {("script", "src"), ("img", "src"), ("source", "src"), ("iframe", "src")}


class Elements(HTMLParser):
    """The start tags of a page, and those of its article alone."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.article: list[tuple[str, dict[str, str]]] = []
        self._in_article = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_article |= tag == "article"
        found = (tag, {name: value or "" for name, value in attrs})
        self.tags.append(found)
        if self._in_article:
            self.article.append(found)

    def handle_endtag(self, tag: str) -> None:
        self._in_article &= tag != "article"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make check` builds it: a warning would be an error."""
    folder = tmp_path_factory.mktemp("site")
    build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder)))
    return folder


def elements(page: Path) -> Elements:
    return Elements(page.read_text(encoding="utf-8"))


def test_every_page_is_in_the_navigation_once() -> None:
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2].partition("\nvalidation:")[0]
    assert sorted(re.findall(r": (\S+\.md)$", nav, flags=re.MULTILINE)) == sorted(SOURCES)


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_a_page_has_what_it_has_on_github(name: str, site: Path) -> None:
    counted = ("h1", "h2", "h3", "h4", "table", "tr", "ul", "ol", "li", "p", "pre", "img", "strong", "em")
    here, there = (
        Counter(tag for tag, _ in tags if tag in counted)
        for tags in (
            elements(site / Path(name).with_suffix(".html")).article,
            Elements(GITHUB.render(SOURCES[name].read_text(encoding="utf-8"))).tags,
        )
    )
    # The heading that names the page, and the title that Material shows of it, are one.
    assert here == there


def test_no_page_loads_anything_from_the_network(site: Path) -> None:
    for page in site.rglob("*.html"):
        for tag, attributes in elements(page).tags:
            for name, value in attributes.items():
                if (tag, name) in LOADING or (tag == "link" and name == "href"):
                    assert not re.match(r"(https?:)?//", value), (page, tag, value)
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", sheet.read_text(encoding="utf-8")), sheet


def test_every_picture_is_there(site: Path) -> None:
    shown = {
        attributes["src"] for page in site.glob("*.html") for tag, attributes in elements(page).tags if tag == "img"
    }
    assert "results/reference/big_room/charts/decision-2-values.png" in shown
    assert "diagrams/plan1.png" in shown
    assert not {source for source in shown if not (site / source).is_file()}


def test_an_option_is_not_broken_at_its_hyphens(site: Path) -> None:
    cookbook = (site / "cookbook.html").read_text(encoding="utf-8")
    assert '<code><span class="whole">--warmup</span></code>' in cookbook
    assert ".whole {\n  white-space: nowrap;" in (site / "assets" / "site.css").read_text(encoding="utf-8")


def test_the_table_of_contents_has_names_without_their_arguments(site: Path) -> None:
    api = (site / "api.html").read_text(encoding="utf-8")
    entries = re.findall(r'<a href="#[^"]*" class="md-nav__link">\s*<span class="md-ellipsis">\s*([^<]*?)\s*<', api)
    assert {"chatbench.kafka", "read_runs", "Publisher"} <= set(entries)
    assert not [entry for entry in entries if "(" in entry]


def test_links_say_the_title_of_a_page_instead_of_its_file(site: Path) -> None:
    links = {
        found
        for page in site.glob("*.html")
        for found in re.findall(r"<a href[^>]*>([^<]+)</a>", page.read_text("utf-8"))
    }
    assert {"“The method”", "“What was measured”"} <= links
    assert not [link for link in links if link.endswith(".md")]


def test_pages_and_what_surrounds_them_are_in_one_language(site: Path) -> None:
    for name, language, search in (("index.html", "en", "Search"), ("index.ko.html", "ko", "검색")):
        html = (site / name).read_text(encoding="utf-8")
        assert f'<html lang="{language}"' in html
        assert f'placeholder="{search}"' in html


def test_links_that_lead_nowhere_end_the_build(tmp_path: Path) -> None:
    wrong = ("[](guide.md#nowhere)", "[](none.md)", "[](../none.py)", "![](../results/reference/none.png)")
    documents = tmp_path / "docs"
    shutil.copytree(ROOT / "docs", documents)
    with (documents / "record.md").open("a", encoding="utf-8") as page:
        page.write("\n" + "\n".join(wrong))
    with pytest.raises(Abort, match=f"{len(wrong)} warnings"):
        build(load_config(str(ROOT / "mkdocs.yml"), docs_dir=str(documents), site_dir=str(tmp_path / "site")))


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("[map](map.md#the-floors)", "[map](map.md#the-floors)"),
        ("[here](#below)", "[here](#below)"),
        ("[Locust](https://locust.io)", "[Locust](https://locust.io)"),
        ("[changes](../CHANGELOG.md#method)", "[changes](CHANGELOG.md#method)"),
        ("![](../results/reference/claims/charts/c1.png)", "![](results/reference/claims/charts/c1.png)"),
        ("[Makefile](../Makefile)", "`Makefile`"),
        ("[`tests/`](../tests/)", "`tests/`"),
        ("[the module](../tools/docs/site.py)", "the module (`tools/docs/site.py`)"),
        ("[missing](../missing.py)", "[missing](../missing.py)"),
        ("`[code](../Makefile)`", "`[code](../Makefile)`"),
        ("```\n[code](../Makefile)\n```", "```\n[code](../Makefile)\n```"),
    ],
)
def test_links_out_of_the_documents_become_links_of_the_site_or_code(written: str, shown: str) -> None:
    assert LINK.sub(lambda found: link_on_site(found, "index.md"), written) == shown


def test_links_of_a_page_at_the_top_lead_to_the_same_pages() -> None:
    written = "[map](docs/map.md), [changes](CHANGELOG.md), [tests](tests/)"
    shown = "[map](map.md), [changes](CHANGELOG.md), `tests/`"
    assert LINK.sub(lambda found: link_on_site(found, "CONTRIBUTING.md"), written) == shown


@needs_chromium
def test_diagrams_and_the_search_work_from_files(site: Path, tmp_path: Path) -> None:
    with chromium(tmp_path) as page:
        page.open(f"file://{site}/map.html")
        page.wait_for("document.querySelector('div.mermaid')?.clientHeight > 500")
        for word, found in (("pub/sub", "architectures.html"), ("쿡북", "cookbook.ko.html")):
            page.open(f"file://{site}/index.html")
            page.wait_for("document.readyState === 'complete'")
            page.run("document.querySelector('#__search').click()")
            page.run("document.querySelector('[name=query]').focus()")
            page.type(word)
            page.wait_for(f"Boolean(document.querySelector('.md-search-result a[href*=\"{found}\"]'))")
