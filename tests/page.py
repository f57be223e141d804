"""What stands on a report's page."""

from html.parser import HTMLParser


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
