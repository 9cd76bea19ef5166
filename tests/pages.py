"""A page taken apart, and names that try to break out of it."""

import json
from html.parser import HTMLParser

from small_spokes import Told

HOSTILE = '</script><script>alert(1)</script>" onload="x'


class Hostile(Told):
    name = HOSTILE

    def pairs(self):
        return {HOSTILE: next(iter(super().pairs().values()))}

    def readouts(self):
        return {HOSTILE: next(iter(super().readouts().values()))}

    def interventions(self):
        return {f"{HOSTILE}{kind}": one for kind, one in super().interventions().items()}

    def texts(self):
        return {HOSTILE: super().texts()["tales"]}


class Page(HTMLParser):
    """Collects scripts, links and headings."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.scripts: list[dict] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.loads: list[str] = []
        self.text = ""
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs) -> None:
        found = dict(attrs)
        self.ids += [found["id"]] if "id" in found else []
        self.loads += [found[name] for name in ("src", "data") if name in found]
        self.links += [found["href"]] if "href" in found else []
        assert not any(name.startswith("on") for name in found)
        self._inside = tag
        if tag == "script":
            self.scripts.append({"type": found.get("type"), "text": ""})

    def handle_endtag(self, tag) -> None:
        self._inside = ""

    def handle_data(self, data) -> None:
        if self._inside == "script":
            self.scripts[-1]["text"] += data
        else:
            self.text += data


def figures(page: Page) -> list[dict]:
    template, *drawn = (
        json.loads(s["text"]) for s in page.scripts if s["type"] == "application/json"
    )
    assert set(template) == {"layout"}
    return drawn
