"""What stands on a report's page."""

from html.parser import HTMLParser
from pathlib import Path


class Page(HTMLParser):
    """The text of a page, its headings and the addresses that it loads."""

    def __init__(self, html):
        super().__init__()
        self.text, self.loads, self.open = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.loads += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        self.text.append(data)


def text_of(page: str | Path) -> str:
    """What stands on a page, HTML or its file, words apart by one space."""
    html = page.read_text() if isinstance(page, Path) else page
    return " ".join(" ".join(Page(html).text).split())
